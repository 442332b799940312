"""What every route works with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar.status_codes import HTTP_401_UNAUTHORIZED

from aperiodic.lake.keys import verify_key
from aperiodic.lake.lake import now_us
from aperiodic.server.errors import refuse
from aperiodic.server.plans import PLANS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from aperiodic.lake import Lake
    from aperiodic.server.errors import RequestError
    from aperiodic.server.plans import Plan
    from aperiodic.server.secret import Secrets

__all__ = ["Service"]

_WHERE_KEYS_COME_FROM = "Send a valid key in the header X-API-KEY; the operator of this server issues keys."


class Service:
    """One installation as the routes see it.

    Attributes:
        lake: Store and ledger.
        secrets: Keys of API-key hashes and of links.
        public_url: What links begin with; None: as the request came in.
    """

    def __init__(self, lake: Lake, secrets: Secrets, public_url: str | None) -> None:
        self.lake = lake
        self.secrets = secrets
        self.public_url = public_url

    def authorise(self, connection: Connection, key: str | None) -> Plan:
        """Return the plan of a key.

        Args:
            connection: Open connection to the ledger.
            key: Header `X-API-KEY`, or None.

        Raises:
            RequestError: 401 `missing_key`, `unknown_key`, `revoked_key` or `expired_key`.
        """
        if not key:
            raise _unauthorised("missing_key", "This endpoint needs an API key.")
        known = verify_key(connection, self.secrets.pepper, key)
        if known is None:
            raise _unauthorised("unknown_key", "This API key is not known here.")
        if known.revoked_at is not None:
            raise _unauthorised("revoked_key", "This API key has been revoked.")
        if known.expires_at is not None and known.expires_at <= now_us():
            raise _unauthorised("expired_key", "This API key has expired.")
        return PLANS[known.plan]


def _unauthorised(code: str, message: str) -> RequestError:
    headers = {"WWW-Authenticate": 'ApiKey realm="aperiodic"'}
    return refuse(HTTP_401_UNAUTHORIZED, code, message, _WHERE_KEYS_COME_FROM, headers)
