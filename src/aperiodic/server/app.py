"""The application: the API, the files behind links, the site, and how errors are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.di import Provide

from aperiodic.engine.live import open_source
from aperiodic.server.api.account import get_account, post_rotate, post_signup
from aperiodic.server.api.conditions import get_conditions
from aperiodic.server.api.coverage import get_coverage
from aperiodic.server.api.data import get_data
from aperiodic.server.api.health import Readiness, get_health, get_readiness
from aperiodic.server.api.latest import get_latest
from aperiodic.server.api.metadata import get_catalog, get_symbols
from aperiodic.server.api.preview import get_preview, get_raw_preview
from aperiodic.server.api.raw import get_raw
from aperiodic.server.api.raw_metadata import HeldTicks, get_raw_metadata
from aperiodic.server.auth.secret import Secrets
from aperiodic.server.endpoints import declared_endpoints
from aperiodic.server.errors import answer_error
from aperiodic.server.links.files import get_file
from aperiodic.server.middleware.access_log import AccessLog
from aperiodic.server.middleware.pages import Pages
from aperiodic.server.middleware.prometheus import get_metrics
from aperiodic.server.middleware.rate_limits import tell_standing
from aperiodic.server.openapi import Documents, get_asyncapi, get_llms, get_llms_full, get_openapi
from aperiodic.server.service import Service
from aperiodic.server.site import error_page, site_router, wants_page
from aperiodic.server.stream.fanout import Fanout
from aperiodic.server.stream.service import StreamService

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from litestar import Request, Response
    from litestar.handlers import HTTPRouteHandler

    from aperiodic.lake import Lake
    from aperiodic.server.endpoints import Endpoint
    from aperiodic.server.settings import ServerSettings

__all__ = ["HANDLERS", "create_app"]

_EXPOSED: Final = [
    *("Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag", "X-Request-ID"),
    *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"),
]


HANDLERS: Final = (
    get_data,
    get_latest,
    get_preview,
    get_raw,
    get_raw_preview,
    get_symbols,
    get_catalog,
    get_coverage,
    get_conditions,
    get_raw_metadata,
    post_signup,
    get_account,
    post_rotate,
    get_file,
    get_health,
    get_readiness,
    get_metrics,
    get_openapi,
    get_asyncapi,
    get_llms,
    get_llms_full,
)
"""Handlers of all endpoints that are no pages of the site, in the order of the documents."""


def create_app(
    lake: Lake,
    settings: ServerSettings,
    access_log: AccessLog | None = None,
    handlers: Sequence[HTTPRouteHandler] = HANDLERS,
    live_rows: Fanout | None = None,
) -> Litestar:
    """Build the HTTP application of an installation.

    Args:
        lake: The installation.
        settings: Its settings.
        access_log: Watches the requests; given by whoever has to know when the last one has been answered.
        handlers: What it answers beside the pages of the site.
        live_rows: What its stream tells; by default the rows that are made in the installation.

    Raises:
        LakeError: `weak_secret` or `secret_unavailable`.
        AperiodicDataError: `package_missing` where live rows come over NATS.
    """
    watch = access_log or AccessLog()
    endpoints = declared_endpoints(handlers)
    service = Service(lake, Secrets.load(settings), settings, watch.monitoring)
    if live_rows is None:
        source = open_source(lake.home, settings)
        watch.monitoring.watch_source(source)
        live_rows = Fanout(lake, watch.monitoring, source)
    given = {
        "service": service,
        "live_rows": live_rows,
        "access_log": watch,
        "monitoring": watch.monitoring,
        "readiness": Readiness(lake),
        "documents": Documents(lake, settings, endpoints),
        "held_ticks": HeldTicks(lake),
    }
    answer = _error_handler(service, endpoints)
    pages = Pages(lake.engine, settings, answer)
    app = Litestar(
        [*handlers, site_router(service)],
        before_send=[tell_standing],
        cors_config=CORSConfig(allow_methods=["GET", "HEAD"], expose_headers=_EXPOSED, max_age=86_400),
        dependencies={name: _provide(value) for name, value in given.items()},
        exception_handlers={Exception: answer},
        logging_config=None,
        on_shutdown=[service.stop, pages.close],
        openapi_config=None,
    )
    app.state.stream = StreamService(service, app, live_rows, watch.monitoring)
    app.asgi_handler = watch.around(pages.around(app.asgi_handler))
    return app


def _error_handler(
    service: Service, endpoints: Sequence[Endpoint]
) -> Callable[[Request[Any, Any, Any], Exception], Response[Any]]:
    def handle(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        answer = answer_error(request, error, endpoints)
        return error_page(request, service, answer) if wants_page(request) else answer

    return handle


def _provide(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)
