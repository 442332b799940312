"""`aperiodic instruments`: what the exchanges trade, and since when."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import httpx
from cyclopts import Parameter
from rich.table import Table

from aperiodic.capture.settings import addresses, setting_of
from aperiodic.cli.console import errors, out, print_line
from aperiodic.cli.installation import Begin, open_lake
from aperiodic.cli.parameters import ExchangeName, SymbolName
from aperiodic.lake.instruments import Refreshed, read_instruments, remember_instruments
from aperiodic.lake.ledger import begin_write
from aperiodic.market import AperiodicDataError
from aperiodic.market.time import now_us, time_at
from aperiodic.venues import RejectedFrameError, all_venues, feed_of, venue_of

if TYPE_CHECKING:
    from aperiodic.lake import Lake
    from aperiodic.lake.instruments import InstrumentRecord
    from aperiodic.market import Exchange
    from aperiodic.market.instrument import Instrument
    from aperiodic.venues.feed import Request

__all__ = ["instruments", "refresh_instruments"]

_TIMEOUT_S: Final = 20.0
_LONGEST_ANSWER: Final = 32 << 20
_OK: Final = 200
_COUNTRY: Final = 451


def instruments(
    *,
    exchange: ExchangeName | None = None,
    symbol: SymbolName | None = None,
    refresh: bool = False,
    history: bool = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """List the instruments of the exchanges, as they were told last; no exchange is asked unless you say so.

    Args:
        exchange: Only this exchange.
        symbol: Only this symbol.
        refresh: Ask the exchanges first, and remember what they say.
        history: Show what was ever said of them, not only what is true now.
        as_json: Print a JSON list instead of a table.
    """
    with open_lake(Begin.ANYWHERE if refresh else Begin.NOWHERE) as lake:
        if refresh:
            refresh_instruments(
                lake, [exchange] if exchange else [venue.exchange for venue in all_venues() if venue.feed]
            )
        with lake.engine.connect() as connection:
            records = read_instruments(connection, exchange, history=history)
    wanted = [record for record in records if symbol is None or record.instrument.symbol == symbol]
    if as_json:
        out.print_json(json.dumps([_facts(record) for record in wanted]))
    elif not wanted:
        print_line("No instruments are known. Ask the exchanges: aperiodic instruments --refresh")
    else:
        out.print(_table(wanted))


def refresh_instruments(lake: Lake, exchanges: list[Exchange]) -> None:
    """Ask exchanges; one that does not answer keeps no other from being asked.

    Raises:
        AperiodicDataError: What the last one that failed failed with.
    """
    failed: AperiodicDataError | None = None
    for exchange in exchanges:
        try:
            told = _ask(exchange)
        except AperiodicDataError as error:
            if failed is not None:
                errors.print(f"{failed.message}", highlight=False, markup=False, soft_wrap=True)
            failed = error
            continue
        with begin_write(lake.engine) as connection:
            refreshed = remember_instruments(connection, exchange, told, now_us(), whole=True)
        errors.print(f"{exchange}: {len(told):,} listed{_in_words(refreshed)}", highlight=False, soft_wrap=True)
    if failed is not None:
        raise failed


def _ask(exchange: Exchange) -> list[Instrument]:
    feed = feed_of(exchange)
    request, reason = feed.instruments(), "it has no address that is valid today"
    for host in addresses(feed, "rest"):
        try:
            status, body = _fetch(host + request.path, request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = f"{host}: {type(error).__name__}"
            continue
        if status == _OK:
            return _read(exchange, body)
        reason = f"{host} answered with HTTP {status}"
        if status == _COUNTRY:
            reason += f". {feed.geo_hint}"
    raise AperiodicDataError(
        f"{exchange} does not tell its instruments: {reason}.",
        code="venue_unreachable",
        hint=f"Check the connection. Another host can be named by {setting_of(feed, 'rest')}.",
    )


def _fetch(url: str, request: Request) -> tuple[int, bytes]:
    method = "GET" if request.body is None else "POST"
    headers = dict(request.headers)
    with httpx.stream(method, url, content=request.body, headers=headers, timeout=_TIMEOUT_S) as response:
        body = bytearray()
        for part in response.iter_bytes():
            body += part
            if len(body) > _LONGEST_ANSWER:
                raise httpx.DecodingError("the answer is too long")
        return response.status_code, bytes(body)


def _read(exchange: Exchange, body: bytes) -> list[Instrument]:
    try:
        told = venue_of(exchange).listed(body)
    except RejectedFrameError as error:
        told, reason = None, error.reason
    else:
        reason = "it lists none"
    if not told:
        raise AperiodicDataError(
            f"The answer of {exchange} is no list of instruments: {reason}.",
            code="unexpected_answer",
            hint="What is known already stays as it is. If this goes on, the exchange has changed its answer.",
        )
    return told


def _in_words(refreshed: Refreshed) -> str:
    told = {
        "new": refreshed.new,
        "changed": refreshed.changed,
        "listed again": refreshed.relisted,
        "gone": refreshed.gone,
    }
    return "".join(f", {count:,} {words}" for words, count in told.items() if count)


def _facts(record: InstrumentRecord) -> dict[str, Any]:
    instrument = record.instrument
    return {
        "exchange": record.exchange,
        "symbol": str(instrument.symbol),
        "native": instrument.native,
        "status": str(instrument.status),
        "contract_size": _text(instrument.contract_size),
        "tick_size": _text(instrument.tick_size),
        "lot_size": _text(instrument.lot_size),
        "listed_from": _time(instrument.listed_from),
        "delisted_at": _time(instrument.delisted_at),
        "begins": record.begins,
        "valid_from": _time(record.valid_from),
        "valid_to": _time(record.valid_to),
        "first_seen": _time(record.first_seen),
        "last_seen": _time(record.last_seen),
    }


def _table(records: list[InstrumentRecord]) -> Table:
    table = Table(
        "exchange", "symbol", "native", "status", "contract", "tick", "lot", "listed from", "delisted", "seen"
    )
    for record in records:
        facts = _facts(record)
        days = (facts[name] and facts[name][:10] for name in ("listed_from", "delisted_at", "last_seen"))
        names = ("exchange", "symbol", "native", "status", "contract_size", "tick_size", "lot_size")
        table.add_row(*(facts[name] or "" for name in names), *(day or "" for day in days))
    return table


def _text(value: object) -> str | None:
    return None if value is None else f"{value}"


def _time(time: int | None) -> str | None:
    return None if not time else time_at(time).isoformat()
