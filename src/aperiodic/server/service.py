"""What every route works with."""

from __future__ import annotations

import hmac
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aperiodic.accounts.keys import SCOPES, verify_key
from aperiodic.accounts.plans import FREE, find_plan
from aperiodic.accounts.usage import Issued
from aperiodic.lake.generation import Generation
from aperiodic.market.time import now_us
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import refuse
from aperiodic.server.middleware.metering import Metering
from aperiodic.server.middleware.rate_limits import Buckets, client_address, remember_standing
from aperiodic.server.queries.reading import Kept, Reading

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from litestar import Request

    from aperiodic.accounts.plans import Plan
    from aperiodic.lake import Lake
    from aperiodic.server.auth.secret import Secrets
    from aperiodic.server.errors import RequestError
    from aperiodic.server.middleware.prometheus import Monitoring
    from aperiodic.server.middleware.rate_limits import Standing
    from aperiodic.server.settings import ServerSettings

__all__ = ["Caller", "Service"]

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_KEY_BYTES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        public_id: Public part of the key; empty for the demo key.
        plan: What the key may read.
        scopes: What the key is for; see `lake.keys.SCOPES`.
    """

    public_id: str
    plan: Plan
    scopes: tuple[str, ...]


class Service:
    """One installation as the routes see it.

    Attributes:
        lake: Store and ledger.
        secrets: Keys of API-key hashes and of links.
        settings: The installation's settings.
        metering: What was issued and is not in the ledger yet; `stop` it when the server ends.
    """

    def __init__(
        self, lake: Lake, secrets: Secrets, settings: ServerSettings, monitoring: Monitoring | None = None
    ) -> None:
        self.lake = lake
        self.secrets = secrets
        self.settings = settings
        self.metering = Metering(lake.engine)
        self._generation = Generation(lake.engine)
        self._kept = Kept()
        self._monitoring = monitoring
        # Apart, so that a flood of one kind of client makes no other kind forgotten.
        self._by_key = Buckets(_MINUTE_S)
        self._by_address = Buckets(_MINUTE_S)
        self._new_keys = Buckets(_HOUR_S)

    def reading(self) -> Reading:
        """Return the ledger as one request reads it, for a `with` block."""
        return Reading(self.lake.engine, self._generation, self._kept)

    def stop(self) -> None:
        """Write what has been counted, and let go of the ledger."""
        self.metering.stop()
        self._generation.close()

    def authorise(self, ledger: Reading, request: Request[Any, Any, Any]) -> Caller:
        """Return who asks, by the header `X-API-KEY`.

        The demo key is public: whoever sends it gets the plan free. What is known of a key counts until the ledger
        changes, so that a revoked key ends with its next request. Requests without a valid key are counted by address;
        a valid key is let in whatever its neighbours at the same address send.

        Raises:
            RequestError: 401 `missing_key`, `unknown_key`, `revoked_key` or `expired_key`; 429 `rate_limited` instead
                for an address that sends too many of them.
        """
        key = _sent_key(request)
        if not key:
            raise self._unauthorised(request, ErrorCode.MISSING_KEY)
        name = self._name_of(key)
        if key == self.settings.demo_key:
            plan = ledger.once(name, lambda: find_plan(ledger.connection, FREE), lambda _: _KEY_BYTES)
            return Caller("", plan, SCOPES)
        pepper = self.secrets.pepper
        known = ledger.once(name, lambda: verify_key(ledger.connection, pepper, key), lambda _: _KEY_BYTES)
        if known is None:
            raise self._unauthorised(request, ErrorCode.UNKNOWN_KEY)
        if known.revoked_at is not None:
            raise self._unauthorised(request, ErrorCode.REVOKED_KEY)
        if known.expired(now_us()):
            raise self._unauthorised(request, ErrorCode.EXPIRED_KEY)
        self.metering.used(known.public_id)
        request.scope["state"]["caller"] = known.public_id
        return Caller(known.public_id, known.plan, known.scopes)

    def admit(self, request: Request[Any, Any, Any], caller: Caller | None) -> Standing:
        """Count a request that passed all other checks against its limit.

        Args:
            request: The request.
            caller: Who asks: its key is counted, by its plan. The address is, for the demo key and where no key is
                needed (None).

        Raises:
            RequestError: 429 `rate_limited`, with `Retry-After`.
        """
        if caller is None or not caller.public_id:
            return self._count_address(request)
        standing = self._by_key.take(caller.public_id, caller.plan.requests_per_minute)
        return _admitted(request, standing, f"The plan {caller.plan.name} has {standing.limit} requests a minute.")

    @contextmanager
    def admit_new_key(self, request: Request[Any, Any, Any]) -> Iterator[None]:
        """Count a key that an address makes itself, unless what is done in the `with` block fails.

        Raises:
            RequestError: 429 `rate_limited`, with `Retry-After`.
        """
        address = client_address(request, self.settings.trusted_proxies)
        limit = self.settings.signups_per_hour
        standing = self._new_keys.take(address, limit)
        _admitted(request, standing, f"An address may make {standing.limit} keys an hour.")
        try:
            yield
        except BaseException:
            remember_standing(request.scope, self._new_keys.give_back(address, limit))
            raise

    def meter(self, caller: Caller, endpoint: str, dataset: str = "", files: int = 0, size: int = 0) -> None:
        """Record what was issued to a caller: links and the bytes behind them."""
        self.metering.count(caller.public_id, endpoint, dataset, Issued(1, files, size))
        if self._monitoring is not None and files:
            self._monitoring.count_links(endpoint, files)

    def _name_of(self, key: str) -> Hashable:
        """Return under what name it is kept who sends a key."""
        if key == self.settings.demo_key:
            return ("plan", FREE)
        return ("key", hmac.digest(self.secrets.pepper, key.encode(), "sha256"))

    def _count_address(self, request: Request[Any, Any, Any]) -> Standing:
        address = client_address(request, self.settings.trusted_proxies)
        standing = self._by_address.take(address, self.settings.address_requests_per_minute)
        return _admitted(
            request, standing, f"An address may send {standing.limit} requests a minute without a key of its own."
        )

    def _unauthorised(self, request: Request[Any, Any, Any], code: ErrorCode) -> RequestError:
        self._count_address(request)
        return refuse(code, {"WWW-Authenticate": 'ApiKey realm="aperiodic"'})


def _sent_key(request: Request[Any, Any, Any]) -> str:
    # Given twice it means what one header with both values does (RFC 9110), and that is no key.
    return ", ".join(request.headers.getall("x-api-key", []))


def _admitted(request: Request[Any, Any, Any], standing: Standing, rule: str) -> Standing:
    remember_standing(request.scope, standing)
    if standing.admitted:
        return standing
    raise refuse(
        ErrorCode.RATE_LIMITED,
        {"Retry-After": str(standing.retry_after_s)},
        rule=rule,
        seconds=standing.retry_after_s,
    )
