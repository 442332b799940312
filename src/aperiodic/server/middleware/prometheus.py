"""Counters of the server in the Prometheus format: `/metrics`.

No label takes its value from a request, but from what is declared: route templates, methods, statuses, error codes.
"""

import hmac
import platform
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_401_UNAUTHORIZED, HTTP_403_FORBIDDEN, HTTP_429_TOO_MANY_REQUESTS
from obstore.exceptions import BaseError
from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from aperiodic._version import __version__
from aperiodic.engine.days_told import read_told
from aperiodic.engine.live.hubs import RowsSource
from aperiodic.lake import Lake, LakeError
from aperiodic.lake.delays import quantile_s, read_delays
from aperiodic.market.time import now_us
from aperiodic.server.endpoints import Answer, Endpoint, serve
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import refuse
from aperiodic.server.service import Service

__all__ = ["OTHER", "Monitoring", "get_metrics"]

OTHER: Final = "other"
"""Label of everything that is not declared: unknown paths and methods."""

_FILES: Final = "/files/{path}"
_REFUSALS: Final = frozenset({HTTP_401_UNAUTHORIZED, HTTP_403_FORBIDDEN, HTTP_429_TOO_MANY_REQUESTS})
_SHARES: Final = (0.5, 0.99)
_DELAY_HELP: Final = (
    "# HELP aperiodic_delay_seconds Of the last ten minutes: from arrival to committed ticks, and from the end of a "
    "minute to its bar in a file."
)
_DELAYS_S: Final = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 10, 30, 60)
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Monitoring:
    """The counters of one server process, in a registry of their own."""

    def __init__(self, under_way: Callable[[], int]) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "aperiodic_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self._duration = Histogram(
            "aperiodic_request_duration_seconds",
            "Time from a request's first byte to its answer's last one.",
            ["route"],
            buckets=_BUCKETS_S,
            registry=registry,
        )
        Gauge("aperiodic_requests_in_flight", "Requests under way.", registry=registry).set_function(under_way)
        self._refused = Counter(
            "aperiodic_refused",
            "Requests refused with 401, 403 or 429, and those that broke off or cannot be read.",
            ["status", "code"],
            registry=registry,
        )
        self._failures = Counter(
            "aperiodic_part_failures", "Requests that failed because a part is down.", ["part"], registry=registry
        )
        self._links = Counter("aperiodic_links_issued", "Links issued.", ["endpoint"], registry=registry)
        self._file_bytes = Counter(
            "aperiodic_file_bytes", "Bytes of files sent through this server.", registry=registry
        )
        self._live_delay = Histogram(
            "aperiodic_live_delay_seconds",
            "Time from the end of a bar until its row was handed to the connections that read it.",
            ["interval", "clock"],
            buckets=_DELAYS_S,
            registry=registry,
        )
        self._live_cut = Counter("aperiodic_live_cut", "Live connections let go.", ["why"], registry=registry)
        build = Gauge("aperiodic_build_info", "Version of this server.", ["version", "python"], registry=registry)
        build.labels(__version__, platform.python_version()).set(1)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)

    def count(
        self,
        route: str,
        method: str,
        status: int,
        code: str | None,
        error: BaseException | None,
        size: int,
        seconds: float,
    ) -> None:
        """Count a request that has ended.

        Args:
            route: Template of its path.
            method: Its method, or `OTHER`.
            status: Status of the answer; 0 when there was none.
            code: Machine code of an error answer.
            error: What went wrong on the server's side, if anything did.
            size: Bytes of the answer's body.
            seconds: How long it took.
        """
        self._requests.labels(route, method, status).inc()
        self._duration.labels(route).observe(seconds)
        if status in _REFUSALS:
            self._refused.labels(status, code or OTHER).inc()
        if route == _FILES:
            self._file_bytes.inc(size)
        part = _part(error)
        if part is not None:
            self._failures.labels(part).inc()

    def count_refusal(self, status: int, code: str) -> None:
        """Count a request that was refused before any route saw it."""
        self._requests.labels(OTHER, OTHER, status).inc()
        self._refused.labels(status, code).inc()

    def count_links(self, endpoint: str, links: int) -> None:
        """Count links that were issued by an endpoint."""
        self._links.labels(endpoint).inc(links)

    def count_live_rows(self, interval: str, clock: str, seconds: float) -> None:
        """Count a live row that readers were given so long after the end of its bar."""
        self._live_delay.labels(interval, clock).observe(seconds)

    def count_cut(self, why: str) -> None:
        """Count a live connection that was let go: `slow`, `hole`, `lapsed` or `rate`."""
        self._live_cut.labels(why).inc()

    def watch_live(self, connections: Callable[[], int], queued: Callable[[], int], longest: Callable[[], int]) -> None:
        """Show what live connections there are, and the bytes that wait for all and for the slowest of them."""
        for name, words, tell in (
            ("connections", "Live connections.", connections),
            ("queued_bytes", "Bytes that live connections have not read yet.", queued),
            ("longest_queue_bytes", "Bytes that the slowest live connection has not read yet.", longest),
        ):
            Gauge(f"aperiodic_live_{name}", words, registry=self._registry).set_function(tell)

    def watch_source(self, source: RowsSource) -> None:
        """Show whether live rows of other machines come, where they are to."""
        if source.is_remote:
            gauge = Gauge("aperiodic_live_hub_up", "Whether NATS hands out live rows.", registry=self._registry)
            gauge.set_function(lambda: source.trouble is None)

    def exposition(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self._registry)


def _delays(lake: Lake) -> bytes:
    """Return how late ticks and bars have been in the last ten minutes; nothing where the ledger cannot be asked."""
    try:
        with lake.engine.connect() as connection:
            found = read_delays(connection, now_us())
    except (SQLAlchemyError, LakeError):
        return b""
    lines = [_DELAY_HELP, "# TYPE aperiodic_delay_seconds gauge"]
    for of, delays in (("ticks", found.ticks), ("bars", found.bars)):
        late = {share: quantile_s(delays, share) for share in _SHARES}
        lines += (
            f'aperiodic_delay_seconds{{of="{of}",quantile="{share}"}} {seconds}'
            for share, seconds in late.items()
            if seconds is not None
        )
    return "".join(f"{line}\n" for line in lines).encode()


def _unreadable(lake: Lake) -> bytes:
    """Return what `live` and `build --follow` of this home told within the last minute."""
    told = read_told(lake.home)
    if not told:
        return b""
    name = "aperiodic_instruments_without_bars"
    lines = [
        f"# HELP {name} Instruments whose ticks of days that are not over cannot be read, as told within a minute.",
        f"# TYPE {name} gauge",
        *(f'{name}{{program="{each.program}"}} {each.count}' for each in told),
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _part(error: BaseException | None) -> str | None:
    if isinstance(error, SQLAlchemyError) or (isinstance(error, LakeError) and error.code == "ledger_unavailable"):
        return "ledger"
    if isinstance(error, LakeError | BaseError):
        return "store"
    return None


@serve(
    Endpoint(
        route="/metrics",
        name="get_metrics",
        tag="service",
        summary="Counters for Prometheus",
        description="For whoever sends the operator's token; where none is set, for programs of the server's host "
        "that do not come through a reverse proxy.",
        answers=(
            Answer(
                "The counters.",
                'aperiodic_requests_total{route="/api/v1/data/{metric}",method="GET",status="200"} 41.0\n',
                media_type="text/plain",
                headers=("Cache-Control",),
            ),
        ),
        refusals=(ErrorCode.WRONG_TOKEN, ErrorCode.METRICS_ARE_PRIVATE),
        security="metrics_token",
    ),
    sync_to_thread=True,
)
def get_metrics(
    request: Request[Any, Any, Any], service: NamedDependency[Service], monitoring: NamedDependency[Monitoring]
) -> Response[bytes]:
    """Answer with the counters, to whoever holds the token, or to programs of this host where none is set."""
    _require_right_to_read(request, service)
    told = monitoring.exposition() + _delays(service.lake) + _unreadable(service.lake)
    return Response(told, media_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"})


def _require_right_to_read(request: Request[Any, Any, Any], service: Service) -> None:
    token = service.settings.metrics_token
    if token is None:
        if not _is_local(request):
            raise refuse(ErrorCode.METRICS_ARE_PRIVATE)
        return
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token.get_secret_value()}".encode()):
        raise refuse(ErrorCode.WRONG_TOKEN, {"WWW-Authenticate": 'Bearer realm="aperiodic"'})


def _is_local(request: Request[Any, Any, Any]) -> bool:
    """Whether a program of this host asks for itself; a reverse proxy on this host asks for others."""
    client = request.client
    forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    try:
        return client is not None and not forwarded and ip_address(client.host).is_loopback
    except ValueError:
        return False
