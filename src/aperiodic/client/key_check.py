"""Whether a server takes a key."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aperiodic.client.errors import APIError
from aperiodic.client.rest import get_json
from aperiodic.client.transport import open_transport

if TYPE_CHECKING:
    from aperiodic.client.request import Account

__all__ = ["ask_plan"]


async def ask_plan(account: Account) -> str | None:
    """Return the name of the plan that a key belongs to; None when the server does not say.

    Raises:
        APIError: The server does not take the key, or answered with another error.
        AperiodicDataError: `server_unreachable`.
    """
    async with open_transport(max_connections=1) as transport:
        try:
            body = await get_json(transport, f"{account.base_url}/account", params={}, api_key=account.api_key)
        except APIError as error:
            if error.status_code == HTTPStatus.NOT_FOUND:
                return None
            raise
    plan = body.get("plan")
    name = plan.get("name") if isinstance(plan, dict) else None
    return name[:100] if isinstance(name, str) else None
