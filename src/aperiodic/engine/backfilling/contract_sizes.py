"""Sizes of contracts, for archives that count in contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing.files import SourceFile, printable
from aperiodic.engine.importing.refusals import Refusals
from aperiodic.engine.importing.responses import read_responses
from aperiodic.market import Stream
from aperiodic.venues import venue_of
from aperiodic.venues.archive import TardisLayout

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from aperiodic.engine.backfilling.plan import Unit
    from aperiodic.market import Exchange
    from aperiodic.venues import Contract

__all__ = ["contracts_in_file", "counts_contracts", "instruments_counted_in_contracts"]

_AMOUNTS = frozenset({Stream.TRADES, Stream.QUOTES, Stream.BOOK})


def instruments_counted_in_contracts(units: Iterable[Unit]) -> set[str]:
    """Return the venue's names of the instruments of which a size of contracts is needed."""
    return {native for unit in units if counts_contracts(unit) for native in unit.instruments}


def contracts_in_file(exchange: Exchange, path: Path) -> dict[str, Contract]:
    """Return the sizes of contracts in a file with the venue's answer that lists its instruments.

    Raises:
        ImportSourceError: `file_unreadable`, or `no_instruments` when there are none in it.
    """
    file = SourceFile.look_at(path)
    contracts = read_responses(venue_of(exchange), [file], Refusals(None)).instruments.contracts
    if not contracts:
        raise ImportSourceError(
            f"{printable(str(path))} tells no size of any contract of {exchange}.",
            code="no_instruments",
            hint="Give the exchange's answer to /api/v5/public/instruments?instType=SWAP as it came.",
        )
    return contracts


def counts_contracts(unit: Unit) -> bool:
    """Whether the files of a unit tell amounts in contracts."""
    layout = unit.table.layout
    if isinstance(layout, TardisLayout):
        return venue_of(unit.exchange).counts_contracts and bool(_AMOUNTS & set(unit.streams))
    return layout.contracts
