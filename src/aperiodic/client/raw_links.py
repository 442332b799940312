"""The server's answers to a request for raw ticks: links to files of months and days."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from aperiodic.client.completeness import Remarks, Shortfall
from aperiodic.client.errors import period_name
from aperiodic.client.links import FileKey, FileLink, Links, Listing, by_key, file_link, listed_files
from aperiodic.client.rest import bad_response, get_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aperiodic.client.raw_request import RawRequest
    from aperiodic.client.transport import Transport

__all__ = ["raw_links"]

_MONTH: Final = 7
_DAY: Final = 10


async def _ask(transport: Transport, request: RawRequest) -> Listing:
    """Ask in as many requests as the range takes."""
    files: dict[FileKey, FileLink] = {}
    missing: set[FileKey] = set()
    growing: dict[FileKey, str] = {}
    told = not request.preview  # a preview knows nothing of the range
    for question in request.questions:
        body = await get_json(transport, request.url, params=question, api_key=request.account.api_key)
        # The file of a month may belong to two requests.
        files |= by_key([file_link(item, _key(item.get("period"))) for item in listed_files(body)])
        growing |= _growing(body.get("open_days"))
        absent = body.get("missing_periods")
        if isinstance(absent, list):
            missing |= {_key(period) for period in absent}
        else:
            told = False
    inside = {key: link for key, link in files.items() if _overlaps(request, key)}
    periods = {key for key in missing - files.keys() if _overlaps(request, key)}
    if not told:
        periods |= _uncovered(request, inside.keys() | periods)
    return Listing(inside, tuple(_name(key) + growing.get(key, "") for key in sorted(periods)))


async def raw_links(transport: Transport, request: RawRequest) -> tuple[Links, Remarks]:
    """Ask for the links of a request for ticks; return them, and what to know of the ticks.

    Raises:
        APIError: The server answered with an error or with something else than links.
        IncompleteDataError: Data is missing and the request does not accept that.
        AperiodicDataError: The server could not be reached.
    """
    links = await Links.ask(partial(_ask, transport, request))
    shortfall = Shortfall.of(request.series, links.files(), links.missing or ())
    return links, Remarks.of(request.series, links.files(), shortfall, request.on_incomplete)


def _key(period: object) -> FileKey:
    try:
        if isinstance(period, str) and len(period) in {_MONTH, _DAY}:
            day = date.fromisoformat(period if len(period) == _DAY else f"{period}-01")
            return day.year, day.month, day.day if len(period) == _DAY else 0
    except ValueError:
        pass
    raise bad_response("The answer names a period that is neither a month nor a day.")


def _growing(days: object) -> dict[FileKey, str]:
    """Return what to add to the names of days that are not over; a server may say nothing of them."""
    told: dict[FileKey, str] = {}
    for day in days if isinstance(days, list) else []:
        if isinstance(day, dict) and isinstance(rows := day.get("rows"), int):
            until = day.get("covered_until")
            up_to = f" up to {until[:19]} UTC" if isinstance(until, str) else ""
            told[_key(day.get("period"))] = (
                f" (the day is open: {rows:,} ticks are held{up_to}, and become a file about an hour after its end)"
            )
    return told


def _name(key: FileKey) -> str:
    year, month, day = key
    return period_name(year, month, day or None)


def _bounds(key: FileKey) -> tuple[date, date]:
    year, month, day = key
    return date(year, month, day or 1), date(year, month, day or monthrange(year, month)[1])


def _overlaps(request: RawRequest, key: FileKey) -> bool:
    first, last = _bounds(key)
    return first <= request.end and last >= request.start


def _uncovered(request: RawRequest, keys: Iterable[FileKey]) -> set[FileKey]:
    covered: set[date] = set()
    for first, last in map(_bounds, keys):
        covered.update(first + timedelta(days=number) for number in range((last - first).days + 1))
    asked = (request.start + timedelta(days=number) for number in range((request.end - request.start).days + 1))
    return {(day.year, day.month, day.day) for day in asked if day not in covered}
