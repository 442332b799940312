"""Coverage and status: `/status`, whether the service is up and what it holds, straight from the ledger.

The address chooses: `exchange`, `symbol` and `stream`; `until`, the last day judged; `after`, where the page before of
the list of instruments ended. What is unknown is named on the page, which then answers 404.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_200_OK, HTTP_404_NOT_FOUND, HTTP_503_SERVICE_UNAVAILABLE
from sqlalchemy import Connection

from aperiodic.completeness.causes import Condition
from aperiodic.completeness.known_gaps import GapList
from aperiodic.completeness.series import read_series
from aperiodic.completeness.tick_days import TickDays
from aperiodic.engine.days_told import read_told
from aperiodic.market import Exchange, InvalidInputError, Stream
from aperiodic.market.errors import unknown_value
from aperiodic.market.time import now_us
from aperiodic.server.api.data import overall_source
from aperiodic.server.api.health import Readiness
from aperiodic.server.api.raw_metadata import HeldTicks
from aperiodic.server.queries.published import published_symbols
from aperiodic.server.service import Service
from aperiodic.server.site.day_ranges import cause_words
from aperiodic.server.site.feed import FEED_PATH, incident_page
from aperiodic.server.site.held_data import (
    HeldStream,
    read_days,
    read_instruments,
    read_last_ticks,
    read_stream_gaps,
    revision_rows,
    series_rows,
)
from aperiodic.server.site.incidents import MOST_INCIDENTS, Incidents
from aperiodic.server.site.query import query_values, read_day
from aperiodic.server.site.rendering import render_page

__all__ = ["get_status"]

_INSTRUMENTS_SHOWN: Final = 10
_SUGGESTED: Final = 500
_INCIDENTS_SHOWN: Final = 10
_RANGES_SHOWN: Final = 60
_HOUR_US: Final = 3_600_000_000
_DAYS_FROM_HOURS: Final = 48
_TITLE: Final = "Coverage and status"
_DESCRIPTION: Final = (
    "Whether the service is up, how fresh each instrument is, what is missing and why, what was revised."
)


@get("/status")
async def get_status(
    request: Request[Any, Any, Any],
    service: NamedDependency[Service],
    readiness: NamedDependency[Readiness],
    held_ticks: NamedDependency[HeldTicks],
    incidents: NamedDependency[Incidents],
) -> Response[bytes]:
    """Answer with the page of coverage and status; 503 with as much as can be said while the ledger is down."""
    down = await readiness.parts_down()
    if "ledger" in down:
        return await sync_to_thread(_render, request, service, down, HTTP_503_SERVICE_UNAVAILABLE, None)
    return await sync_to_thread(_answer, request, service, down, held_ticks, incidents)


def _unreadable(service: Service) -> dict[str, list[str]]:
    """Return the symbols that have no bars of days that are not over, by venue, as programs of this home tell."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for told in read_told(service.lake.home):
        for each in told.unreadable:
            found[each.exchange].add(each.symbol)
    return {exchange: sorted(symbols) for exchange, symbols in sorted(found.items())}


def _answer(
    request: Request[Any, Any, Any], service: Service, down: list[str], held_ticks: HeldTicks, incidents: Incidents
) -> Response[bytes]:
    held = held_ticks.get()
    asked = {name: value.strip() for name, value in query_values(request).items()}
    with service.lake.engine.connect() as connection:
        choice = _choose(connection, asked, held)
        view = {**_venues(connection, held), **_instruments(connection, choice, asked), **_chosen(connection, choice)}
    newest = incidents.get(held)
    view |= {"incidents": newest[:_INCIDENTS_SHOWN], "incidents_total": len(newest), "choice": choice}
    status = HTTP_404_NOT_FOUND if choice.problems else HTTP_200_OK
    return _render(request, service, down, status, view)


def _render(
    request: Request[Any, Any, Any], service: Service, down: list[str], status: int, view: dict[str, Any] | None
) -> Response[bytes]:
    return render_page(
        request,
        service,
        "status.html",
        title=_TITLE,
        description=_DESCRIPTION,
        status=status,
        down=down,
        unreadable=_unreadable(service),
        view=view,
        conditions=list(Condition),
        exchanges=list(Exchange),
        streams=list(Stream),
        most_incidents=MOST_INCIDENTS,
        feed_path=FEED_PATH,
        age=_age,
        cause_words=cause_words,
        incident_page=incident_page,
        link=_link,
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the page is about; `symbol` and `stream` are None where there is nothing to choose from."""

    exchange: Exchange
    symbol: str | None
    stream: Stream | None
    until: date | None
    held: tuple[TickDays, ...]
    symbols: tuple[str, ...]
    problems: tuple[InvalidInputError, ...]


def _choose(connection: Connection, asked: dict[str, str], held: Sequence[TickDays]) -> _Choice:
    problems: list[InvalidInputError] = []
    with_data = {row.exchange for row in held}
    fallback = next((exchange for exchange in Exchange if exchange in with_data), Exchange.BINANCE_FUTURES)
    exchange = _one_of("exchange", asked, list(Exchange), fallback, problems)
    of_venue = [row for row in held if row.exchange == exchange]
    symbols = sorted({*published_symbols(connection, exchange), *(row.symbol for row in of_venue)})
    symbol = _one_of("symbol", asked, symbols, next(iter(symbols), None), problems)
    of_symbol = [row for row in of_venue if row.symbol == symbol]
    streams = [stream for stream in Stream if stream in {row.stream for row in of_symbol}]
    stream = _one_of("stream", asked, list(Stream), next(iter(streams), None), problems)
    return _Choice(
        exchange=exchange,
        symbol=symbol,
        stream=stream,
        until=_day(asked.get("until", ""), problems),
        held=tuple(of_venue),
        symbols=tuple(symbols),
        problems=tuple(problems),
    )


_Value = TypeVar("_Value", bound=str)
_Fallback = TypeVar("_Fallback", bound=str | None)


def _one_of(
    name: str,
    asked: dict[str, str],
    choices: Sequence[_Value],
    fallback: _Fallback,
    problems: list[InvalidInputError],
) -> _Value | _Fallback:
    text = asked.get(name, "")
    if not text:
        return fallback
    found = next((choice for choice in choices if choice == text), None)
    if found is None:
        nothing = InvalidInputError(f"Unknown {name} {text[:100]!r}.", hint="Nothing is held here.")
        problems.append(unknown_value(name, text, choices) if choices else nothing)
        return fallback
    return found


def _day(text: str, problems: list[InvalidInputError]) -> date | None:
    if not text:
        return None
    try:
        return read_day(text)
    except ValueError:
        problem = InvalidInputError(f"{text[:20]!r} is no day.", code="bad_date", hint="Write YYYY-MM-DD.")
        problems.append(problem)
        return None


def _venues(connection: Connection, held: Sequence[TickDays]) -> dict[str, Any]:
    rows = []
    for exchange in Exchange:
        own = [row for row in held if row.exchange == exchange]
        published = published_symbols(connection, exchange)
        if own or published:
            rows.append(
                {
                    "exchange": exchange,
                    "with_ticks": len({row.symbol for row in own}),
                    "published": len(published),
                    "first": min((row.first for row in own), default=None),
                    "last": max((row.last for row in own), default=None),
                    "size": sum(row.size for row in own),
                    "source": overall_source({source for row in own for source in row.sources}),
                }
            )
    return {"venues": rows, "any_simulated": any(row["source"] == "simulated" for row in rows)}


def _instruments(connection: Connection, choice: _Choice, asked: dict[str, str]) -> dict[str, Any]:
    after = asked.get("after", "")
    following = [symbol for symbol in choice.symbols if symbol > after]
    shown = following[:_INSTRUMENTS_SHOWN]
    held = [row for row in choice.held if row.symbol in set(shown)]
    return {
        "instruments": read_instruments(connection, choice.exchange, shown, held) if shown else [],
        "instruments_total": len(choice.symbols),
        "next": shown[-1] if len(following) > len(shown) else None,
        "is_first": not after,
        "suggested": choice.symbols[:_SUGGESTED],
    }


def _chosen(connection: Connection, choice: _Choice) -> dict[str, Any]:
    if choice.symbol is None:
        return {"streams": [], "series": [], "days": None}
    held = [row for row in choice.held if row.symbol == choice.symbol]
    last_ticks = read_last_ticks(connection, held)
    published = read_series(connection, choice.exchange, [choice.symbol], most_gaps=1)
    revisions, revisions_total = revision_rows(published)
    of_stream = next((row for row in held if row.stream == choice.stream), None)
    gaps, gaps_total = GapList([], 0) if of_stream is None else read_stream_gaps(connection, of_stream)
    return {
        "streams": [
            HeldStream(row, last_ticks.get((row.symbol, row.stream)), overall_source(set(row.sources))) for row in held
        ],
        "series": series_rows(published),
        "revisions": revisions,
        "revisions_total": revisions_total,
        "days": None if of_stream is None else read_days(connection, of_stream, choice.until),
        "most_ranges": _RANGES_SHOWN,
        "gaps": gaps,
        "gaps_total": gaps_total,
    }


def _age(microseconds: int) -> str:
    """Say how long ago a time was, in whole minutes, hours or days."""
    hours, rest = divmod(max(0, now_us() - microseconds), _HOUR_US)
    if hours >= _DAYS_FROM_HOURS:
        return f"{hours // 24:,} days ago"
    return f"{hours} h ago" if hours else f"{rest // 60_000_000} min ago"


def _link(choice: _Choice, **changes: object) -> str:
    """Return the address of the page with something else chosen; None leaves it out."""
    now = {"exchange": choice.exchange, "symbol": choice.symbol, "stream": choice.stream, **changes}
    return f"/status?{urlencode({name: value for name, value in now.items() if value is not None}, safe=':')}"
