"""The newest bars of an instrument in one request, those of today included, as soon as they have closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aperiodic.catalog import TIME_COLUMN
from aperiodic.client.rest import bad_response, get_json

if TYPE_CHECKING:
    from aperiodic.client.request import DataRequest
    from aperiodic.client.transport import Transport

__all__ = ["MOST_BARS", "newest_bars"]

MOST_BARS: Final = 1000
"""Bars that a server gives in one answer."""


async def newest_bars(transport: Transport, request: DataRequest, n: int) -> list[dict[str, Any]]:
    """Ask for the newest bars that have closed.

    Args:
        transport: What fetches.
        request: Of which dataset, clock, interval, venue and instrument; its days do not matter.
        n: How many, at most `MOST_BARS`.

    Returns:
        Rows ascending in time: `symbol`, `time` in µs since the epoch, the fields of the dataset, `complete`.

    Raises:
        APIError: The server answered with an error, or not with rows (`bad_response`).
        AperiodicDataError: `server_unreachable`.
    """
    asked = {name: value for name, value in request.params.items() if name not in {"start_date", "end_date"}}
    account = request.account
    url = f"{account.base_url}/data/latest/{request.metric}"
    body = await get_json(transport, url, params={**asked, "n": str(n)}, api_key=account.api_key)
    rows = body.get("rows")
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get(TIME_COLUMN), int) for row in rows
    ):
        raise bad_response("The answer has no rows of bars.", account.base_url)
    return sorted(rows, key=lambda row: row[TIME_COLUMN])
