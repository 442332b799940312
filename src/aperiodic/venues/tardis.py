"""What Tardis gives away: the first day of each month of every instrument, with arrival times.

| type | becomes |
|---|---|
| `trades` | trades |
| `quotes` | quotes |
| `book_snapshot_25` | book |
| `derivative_ticker` | mark price, index price, funding rate, open interest |

Names of instruments are in capitals, with `-` for `/` and `:`. Source: docs.tardis.dev, Downloadable CSV files.
"""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Final

from aperiodic.market import DAY_US, Stream
from aperiodic.venues.archive import ArchiveBase, ArchiveFile, ArchiveTable, TardisLayout, day_file

if TYPE_CHECKING:
    from aperiodic.venues.venue import Venue

__all__ = ["TARDIS", "tardis_archives"]

TARDIS: Final = ArchiveBase("tardis", "Tardis", "https://datasets.tardis.dev/v1")

_SINCE: Final = date(2019, 4, 1)
_PUBLISHED_US: Final = 2 * DAY_US
_TYPES: Final = {
    "trades": (Stream.TRADES,),
    "quotes": (Stream.QUOTES,),
    "book_snapshot_25": (Stream.BOOK,),
    "derivative_ticker": (Stream.MARK_PRICE, Stream.INDEX_PRICE, Stream.FUNDING_RATE, Stream.OPEN_INTEREST),
}


def tardis_archives(venue: Venue) -> tuple[ArchiveTable, ...]:
    """Return what Tardis has of a venue; nothing where it is not collected there."""
    if venue.tardis is None:
        return ()
    return tuple(
        ArchiveTable(kind, held, _SINCE, None, partial(_files, venue.tardis, kind), TardisLayout(), first_of_month=True)
        for kind, streams in _TYPES.items()
        if (held := tuple(stream for stream in streams if stream in venue.streams))
    )


def _files(exchange: str, kind: str, native: str, day: date) -> tuple[ArchiveFile, ...]:
    name = native.upper().replace("/", "-").replace(":", "-")
    return (day_file(TARDIS, f"{exchange}/{kind}/{day:%Y/%m/%d}/{name}.csv.gz", day, _PUBLISHED_US),)
