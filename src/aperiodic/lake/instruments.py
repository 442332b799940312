"""The ledger's memory of what venues said of their instruments: a row for as long as the same was said.

| a row begins because | `begins` |
|---|---|
| the name was not known before; it is taken to have been so since it is listed, or ever | `first` |
| something else is said of the same instrument, for example the size of its contract | `changed` |
| the name was given to another instrument: it is listed from a later time, or was delisted | `relisted` |
| the name had vanished from the list | `returned` |

Answers may be told in any order: an older one, read from an old recording, comes before what is known of later times.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, insert, or_, select, update

from aperiodic.lake.schema import instruments
from aperiodic.market import Symbol
from aperiodic.market.instrument import Instrument, ListingStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, RowMapping

__all__ = ["InstrumentRecord", "Refreshed", "contract_sizes", "read_instruments", "remember_instruments"]

_FIRST: Final = "first"
_CHANGED: Final = "changed"
_RELISTED: Final = "relisted"
_RETURNED: Final = "returned"
_CHANGING: Final = ("begins", "valid_from", "valid_to", "first_seen", "last_seen")


@dataclass(frozen=True, slots=True)
class InstrumentRecord:
    """What a venue said of an instrument over some time.

    Attributes:
        exchange: Venue.
        instrument: What it said.
        begins: Why it was not so before; see the module.
        valid_from: Since when it is so, µs.
        valid_to: When it ceased to be so, µs; None while it is.
        first_seen: Time of the earliest answer that says so, µs.
        last_seen: Time of the latest one, µs.
    """

    exchange: str
    instrument: Instrument
    begins: str
    valid_from: int
    valid_to: int | None
    first_seen: int
    last_seen: int


@dataclass(slots=True)
class Refreshed:
    """What an answer told.

    Attributes:
        new: Names that were not known.
        changed: Names of which something else is said than before.
        relisted: Names that were given to another instrument, or came back.
        gone: Names that are on the list no longer.
    """

    new: int = 0
    changed: int = 0
    relisted: int = 0
    gone: int = 0


def read_instruments(
    connection: Connection,
    exchange: str | None = None,
    *,
    at: int | None = None,
    native: str | None = None,
    symbol: str | None = None,
    history: bool = False,
) -> list[InstrumentRecord]:
    """Return what is known of instruments, by exchange, name and time.

    Args:
        connection: To the ledger.
        exchange: Only this venue's.
        at: What was true at this time, µs; None: what is true now.
        native: Only the instruments that the venue calls so.
        symbol: Only the instruments of this Atlas symbol.
        history: All that was ever true instead.
    """
    query = select(instruments).order_by(instruments.c.exchange, instruments.c.native, instruments.c.valid_from)
    if exchange is not None:
        query = query.where(instruments.c.exchange == exchange)
    if native is not None:
        query = query.where(instruments.c.native == native)
    if symbol is not None:
        query = query.where(instruments.c.symbol == symbol)
    if not history:
        query = query.where(instruments.c.valid_to.is_(None) if at is None else _valid(at))
    return [_record(row) for row in connection.execute(query).mappings()]


def contract_sizes(connection: Connection, exchange: str, at: int) -> dict[str, tuple[Fraction, bool]]:
    """Return the sizes of contracts at a time, µs, and whether they are inverse, by the venue's names."""
    query = select(instruments.c.native, instruments.c.contract_size, instruments.c.symbol).where(
        instruments.c.exchange == exchange, instruments.c.contract_size.is_not(None), _valid(at)
    )
    return {row[0]: (Fraction(row[1]), Symbol.parse(row[2]).inverse) for row in connection.execute(query)}


def remember_instruments(
    connection: Connection, exchange: str, listed: Iterable[Instrument], time: int, *, whole: bool
) -> Refreshed:
    """Take what a venue said of instruments at a time.

    Args:
        connection: To the ledger, in a transaction that writes.
        exchange: Venue.
        listed: What it said; of a name that comes twice, the last.
        time: When it said so, µs.
        whole: Whether these are all: then what is not among them is not listed any more.

    Returns:
        What is new in it.
    """
    told = {each.native: each for each in listed}
    known: dict[str, list[RowMapping]] = {}
    for row in connection.execute(
        select(instruments).where(instruments.c.exchange == exchange).order_by(instruments.c.valid_from)
    ).mappings():
        known.setdefault(row["native"], []).append(row)
    refreshed = Refreshed()
    changes: list[dict[str, Any]] = []
    added: list[dict[str, Any]] = []
    for native, instrument in told.items():
        _take(exchange, instrument, time, known.get(native, []), changes, added, refreshed)
    if whole and told:
        for native, rows in known.items():
            if native not in told and rows[-1]["valid_to"] is None and rows[-1]["last_seen"] < time:
                changes.append(_change(rows[-1], valid_to=time))
                refreshed.gone += 1
    if changes:
        statement = update(instruments).where(instruments.c.id == bindparam("row"))
        connection.execute(statement.values({name: bindparam(f"new_{name}") for name in _CHANGING}), changes)
    if added:
        connection.execute(insert(instruments), added)
    return refreshed


def _take(
    exchange: str,
    instrument: Instrument,
    time: int,
    rows: Sequence[RowMapping],
    changes: list[dict[str, Any]],
    added: list[dict[str, Any]],
    refreshed: Refreshed,
) -> None:
    facts = _facts(instrument)

    def add(begins: str, valid_from: int, valid_to: int | None) -> None:
        seen = {"first_seen": time, "last_seen": time, "valid_from": valid_from, "valid_to": valid_to}
        added.append({"exchange": exchange, "native": instrument.native, "begins": begins, **facts, **seen})

    since = min(instrument.listed_from or 0, time)
    if not rows:
        add(_FIRST, since, None)
        refreshed.new += 1
        return
    later = next((each for each in rows if each["valid_from"] > time), None)
    row = next((each for each in reversed(rows) if each["valid_from"] <= time), None)
    if row is None:
        changes.append(_change(rows[0], begins=_RELISTED))
        add(_FIRST, since, rows[0]["valid_from"])
        return
    same = all(row[name] == value for name, value in facts.items())
    ended = row["valid_to"] is not None and time >= row["valid_to"]
    if same and not ended:
        changes.append(_change(row, first_seen=min(row["first_seen"], time), last_seen=max(row["last_seen"], time)))
    elif ended or time > row["last_seen"]:
        again = _is_another(row, instrument)
        begins = _RELISTED if again else _RETURNED if ended else _CHANGED
        end = row["valid_to"] if ended else row["last_seen"]
        listed = instrument.listed_from
        begin = listed if again and listed is not None and end < listed <= time else time
        if not ended:
            changes.append(_change(row, valid_to=begin))
        add(begins, begin, None if later is None else later["valid_from"])
        if begins == _CHANGED:
            refreshed.changed += 1
        else:
            refreshed.relisted += 1
    elif time < row["first_seen"]:
        # The row was only taken to hold so early.
        changes.append(_change(row, valid_from=row["first_seen"], begins=_CHANGED))
        add(row["begins"], row["valid_from"], row["first_seen"])


def _is_another(row: RowMapping, instrument: Instrument) -> bool:
    """Whether a name means another instrument than it did in a row."""
    if row["symbol"] != str(instrument.symbol):
        return True
    if row["listed_from"] is not None and instrument.listed_from is not None:
        return bool(instrument.listed_from > row["last_seen"])
    return row["status"] == ListingStatus.DELISTED and instrument.status is not ListingStatus.DELISTED


def _change(row: RowMapping, **values: int | str) -> dict[str, Any]:
    return {"row": row["id"], **{f"new_{name}": values.get(name, row[name]) for name in _CHANGING}}


def _facts(instrument: Instrument) -> dict[str, Any]:
    return {
        "symbol": str(instrument.symbol),
        "contract_size": None if instrument.contract_size is None else str(instrument.contract_size),
        "tick_size": _plain(instrument.tick_size),
        "lot_size": _plain(instrument.lot_size),
        "listed_from": instrument.listed_from,
        "delisted_at": instrument.delisted_at,
        "status": str(instrument.status),
    }


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


def _valid(at: int) -> Any:  # noqa: ANN401 (a condition)
    return (instruments.c.valid_from <= at) & or_(instruments.c.valid_to.is_(None), instruments.c.valid_to > at)


def _record(row: RowMapping) -> InstrumentRecord:
    size, tick, lot = row["contract_size"], row["tick_size"], row["lot_size"]
    instrument = Instrument(
        row["native"],
        Symbol.parse(row["symbol"]),
        None if size is None else Fraction(size),
        None if tick is None else Decimal(tick),
        None if lot is None else Decimal(lot),
        row["listed_from"],
        row["delisted_at"],
        ListingStatus(row["status"]),
    )
    times = (row["valid_from"], row["valid_to"], row["first_seen"], row["last_seen"])
    return InstrumentRecord(row["exchange"], instrument, row["begins"], *times)
