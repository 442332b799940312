"""What every route works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litestar.status_codes import HTTP_401_UNAUTHORIZED

from aperiodic.lake.keys import verify_key
from aperiodic.lake.lake import now_us
from aperiodic.lake.plans import find_plan
from aperiodic.server.errors import refuse

if TYPE_CHECKING:
    from litestar import Request
    from sqlalchemy import Connection

    from aperiodic.lake import Lake, Settings
    from aperiodic.lake.plans import Plan
    from aperiodic.server.errors import RequestError
    from aperiodic.server.secret import Secrets

__all__ = ["Caller", "Service"]

_WHERE_KEYS_COME_FROM = "Send a valid key in the header X-API-KEY; the operator of this server issues keys."


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
    """

    def __init__(self, lake: Lake, secrets: Secrets, settings: Settings) -> None:
        self.lake = lake
        self.secrets = secrets
        self.settings = settings

    def authorise(self, connection: Connection, request: Request[Any, Any, Any]) -> Caller:
        """Return who asks, by the header `X-API-KEY`.

        Raises:
            RequestError: 401 `missing_key`, `unknown_key`, `revoked_key` or `expired_key`.
        """
        key = request.headers.get("x-api-key")
        if not key:
            raise _unauthorised("missing_key", "This endpoint needs an API key.")
        known = verify_key(connection, self.secrets.pepper, key)
        if known is None:
            raise _unauthorised("unknown_key", "This API key is not known here.")
        if known.revoked_at is not None:
            raise _unauthorised("revoked_key", "This API key has been revoked.")
        if known.expires_at is not None and known.expires_at <= now_us():
            raise _unauthorised("expired_key", "This API key has expired.")
        return Caller(known.public_id, find_plan(connection, known.plan), known.scopes)

    def admit(self, request: Request[Any, Any, Any], caller: Caller) -> None:
        """Count a request that passed all other checks against its limits.

        Raises:
            RequestError: 429 `rate_limited`, with `Retry-After`.
        """

    def meter(self, caller: Caller, endpoint: str, dataset: str = "", files: int = 0, size: int = 0) -> None:
        """Record what was issued to a caller: links and the bytes behind them."""


def _unauthorised(code: str, message: str) -> RequestError:
    headers = {"WWW-Authenticate": 'ApiKey realm="aperiodic"'}
    return refuse(HTTP_401_UNAUTHORIZED, code, message, _WHERE_KEYS_COME_FROM, headers)
