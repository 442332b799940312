"""`coverage`: what a server has published, and whether to trust it."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aperiodic.client.rest import bad_response, get_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aperiodic.client.request import Account
    from aperiodic.client.transport import Transport
    from aperiodic.client.types import CoverageBy

__all__ = ["coverage_frame", "fetch_series"]

_MOST_PAGES: Final = 100_000

_KEYS: Final = {"exchange": pl.String(), "symbol": pl.String(), "metric": pl.String()}
_SCHEMAS: Final[Mapping[str, Mapping[str, pl.DataType]]] = {
    "series": {
        **_KEYS,
        "source": pl.String(),
        "first_day": pl.Date(),
        "last_day": pl.Date(),
        "complete": pl.Boolean(),
        "missing_days": pl.Int64(),
        "missing_months": pl.List(pl.String()),
        "gaps": pl.Int64(),
        "months": pl.Int64(),
        "files": pl.Int64(),
        "rows": pl.Int64(),
        "bytes": pl.Int64(),
        "intervals_exchange": pl.List(pl.String()),
        "intervals_true": pl.List(pl.String()),
    },
    "month": {
        **_KEYS,
        "month": pl.String(),
        "complete": pl.Boolean(),
        "gaps": pl.Int64(),
        "missing_days": pl.Int64(),
        "source": pl.String(),
        "files": pl.Int64(),
        "rows": pl.Int64(),
        "bytes": pl.Int64(),
        "revision": pl.Int64(),
        "published_at": pl.Datetime("us"),
        "reason": pl.String(),
    },
    "gap": {
        **_KEYS,
        "start": pl.Datetime("us"),
        "end": pl.Datetime("us"),
        "stream": pl.String(),
        "cause": pl.String(),
        "first_missing": pl.Int64(),
        "last_missing": pl.Int64(),
    },
}


async def fetch_series(
    transport: Transport, account: Account, exchange: str, symbol: str | None, metric: str | None
) -> list[dict[str, Any]]:
    """Ask for the published series of a venue, page by page.

    Args:
        transport: What to ask with.
        account: Where, and as whom.
        exchange: Venue.
        symbol: The only instrument; None for all.
        metric: The only dataset; None for all.

    Raises:
        APIError: The server answered with an error, or with something else than series (`bad_response`).
        AperiodicDataError: `server_unreachable`.
    """
    asked = {name: value for name, value in (("symbol", symbol), ("metric", metric)) if value is not None}
    after: str | None = None
    found: list[dict[str, Any]] = []
    for _ in range(_MOST_PAGES):
        params = {"exchange": exchange, **asked, **({} if after is None else {"after": after})}
        url = f"{account.base_url}/metadata/coverage"
        body = await get_json(transport, url, params=params, api_key=account.api_key)
        series, following = body.get("series"), body.get("next")
        if not isinstance(series, list) or not all(isinstance(item, dict) for item in series):
            raise bad_response("The answer lists no series.", account.base_url)
        found += series
        if following is None:
            return found
        if not isinstance(following, str) or (after is not None and following <= after):
            break
        after = following
    raise bad_response("The pages of the answer do not come to an end.", account.base_url)


def coverage_frame(series: Iterable[Mapping[str, Any]], by: CoverageBy = "series") -> pl.DataFrame:
    """Return one row for each series, month or gap.

    Args:
        series: As the server tells them.
        by: What a row is.

    Raises:
        APIError: `bad_response` when a value is not what it should be.
    """
    schema = _SCHEMAS[by]
    try:
        rows = [
            [_READ[dtype](record.get(name)) for name, dtype in schema.items()]
            for entry in series
            for record in _records(entry, by)
        ]
        return pl.DataFrame(rows, schema=schema, orient="row")
    except (ValueError, TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise bad_response("The answer holds a series that cannot be read.") from error


def _records(entry: Mapping[str, Any], by: CoverageBy) -> list[dict[str, Any]]:
    keys = {name: entry.get(name) for name in _KEYS}
    if not all(isinstance(value, str) for value in keys.values()):
        raise TypeError("a series without a name")
    if by == "series":
        intervals = entry.get("intervals") or {}
        if not isinstance(intervals, dict):
            raise TypeError("not intervals by clock")
        return [
            {
                **entry,
                "missing_days": entry.get("missing_days_total"),
                "gaps": entry.get("gaps_total"),
                "months": len(entry.get("months") or ()),
                "intervals_exchange": intervals.get("exchange", []),
                "intervals_true": intervals.get("true", []),
            }
        ]
    items = entry.get(f"{by}s") or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise TypeError(f"not a list of {by}s")
    return [{**item, **keys} for item in items]


def _moment(value: object) -> datetime | None:
    """Return a time in UTC without a zone, as in frames of bars."""
    if value is None:
        return None
    moment = datetime.fromisoformat(value)  # type: ignore[arg-type]  # anything else is a TypeError
    offset = moment.utcoffset()
    return moment.replace(tzinfo=None) if offset is None else (moment - offset).replace(tzinfo=None)


def _day(value: object) -> date | None:
    return None if value is None else date.fromisoformat(value)  # type: ignore[arg-type]  # as above


def _names(value: object) -> list[str] | None:
    if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise TypeError("not a list of names")
    return value


def _as(kind: type) -> Callable[[object], Any]:
    def read(value: object) -> object:
        if value is not None and type(value) is not kind:
            raise TypeError(f"not of type {kind.__name__}")
        return value

    return read


_READ: Final[Mapping[pl.DataType, Callable[[object], Any]]] = {
    pl.String(): _as(str),
    pl.Int64(): _as(int),
    pl.Boolean(): _as(bool),
    pl.List(pl.String()): _names,
    pl.Date(): _day,
    pl.Datetime("us"): _moment,
}
