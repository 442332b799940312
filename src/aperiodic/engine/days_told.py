"""What `live` and `build --follow` tell of open days that they cannot read: a file of JSON each in the home of an installation."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from aperiodic.lake.durability import replace_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from aperiodic.lake import LakeError
    from aperiodic.market import Exchange, Symbol

__all__ = ["TOLD_EVERY_S", "Told", "Unreadable", "read_told", "tell", "words_of"]

TOLD_EVERY_S: Final = 10.0
_FOLDER: Final = "open_days"
_FRESH_S: Final = 60.0
_MOST: Final = 1_000


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument whose ticks of open days cannot be read, so that it has no bars there.

    Attributes:
        exchange: Venue.
        symbol: Atlas symbol.
        code: Code of the error.
        message: What happened.
        hint: What to do.
    """

    exchange: str
    symbol: str
    code: str
    message: str
    hint: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a program told last.

    Attributes:
        program: `live` or `build`, with its venues where it has only some.
        time: When, seconds since 1970.
        unreadable: Instruments without bars, the first thousand.
        count: How many there are.
    """

    program: str
    time: float
    unreadable: list[Unreadable]
    count: int


_DECODER: Final = msgspec.json.Decoder(Told)


def tell(
    home: Path,
    program: str,
    exchanges: Iterable[Exchange],
    unreadable: Mapping[tuple[Exchange, Symbol], LakeError],
) -> None:
    """Write what cannot be read; where the disk refuses, the next time tells it.

    Args:
        home: Folder of the installation.
        program: `live` or `build`.
        exchanges: Its venues; none for all.
        unreadable: Why the ticks of some instruments cannot be read.
    """
    name = "-".join([program, *sorted(map(str, exchanges))])
    some = [
        Unreadable(
            exchange=exchange, symbol=str(symbol), code=error.code or "", message=error.message, hint=error.hint or ""
        )
        for (exchange, symbol), error in list(unreadable.items())[:_MOST]
    ]
    told = Told(program=name, time=round(time.time(), 3), unreadable=some, count=len(unreadable))
    path = home / _FOLDER / f"{name}.json"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, msgspec.json.format(msgspec.json.encode(told)) + b"\n")


def read_told(home: Path) -> list[Told]:
    """Return what programs told within the last minute; of those that have ended nothing is known, and files that cannot be read are left out."""
    found = []
    for path in sorted((home / _FOLDER).glob("*.json")):
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            told = _DECODER.decode(path.read_bytes())
            if abs(time.time() - told.time) <= _FRESH_S:
                found.append(told)
    return found


def words_of(told: Told) -> str:
    """Return in words how many instruments lack bars, without naming them."""
    return f"{told.program}: {told.count:,} instruments have no bars of open days, for their ticks cannot be read"
