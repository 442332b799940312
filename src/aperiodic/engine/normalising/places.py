"""Places in recordings: how far they are read, what was found up to there, and where to begin again after an end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aperiodic.lake import ObjectKey
from aperiodic.market import Exchange, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aperiodic.venues.events import Levels

__all__ = ["TO_GO_ON", "FileCounts", "KeptPlaces", "Place"]

TO_GO_ON: Final = "to go on from"
"""Reason of whole books that are kept to begin again from."""

_KEPT_EVERY_US: Final = 60_000_000
"""How often a place is kept, by arrival. Reading begins again at the last but one, so that what came twice within this
time of the end is known again (`importing.repeats` remembers no longer)."""


@dataclass(slots=True)
class Place:
    """A place in the recordings: a file and the bytes of it that are read."""

    segment: str = ""
    offset: int = 0


@dataclass(slots=True)
class FileCounts:
    """What was found in the recording at work."""

    name: str = ""
    lines: int = 0
    first: int | None = None
    last: int | None = None
    ticks: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    notes: set[str] = field(default_factory=set)

    def received(self, local: int) -> None:
        """Take the arrival of a line, µs."""
        self.first = local if self.first is None else min(self.first, local)
        self.last = local if self.last is None else max(self.last, local)

    def dump(self) -> dict[str, Any]:
        """Return everything as values of JSON."""
        return {
            "name": self.name,
            "lines": self.lines,
            "first": self.first,
            "last": self.last,
            "ticks": dict(self.ticks),
            "rejected": dict(self.rejected),
            "notes": sorted(self.notes),
        }

    @classmethod
    def restore(cls, dumped: dict[str, Any]) -> FileCounts:
        """Return what was dumped."""
        counts = cls(dumped["name"], dumped["lines"], dumped["first"], dumped["last"])
        counts.ticks.update(dumped["ticks"])
        counts.rejected.update(dumped["rejected"])
        counts.notes.update(dumped["notes"])
        return counts


@dataclass(slots=True)
class _Kept:
    """A place to begin again from.

    Attributes:
        place: Where.
        books: The whole books that were kept there, each as symbol and number.
        known: What else was known there, as values of JSON.
    """

    place: Place
    books: list[str]
    known: dict[str, Any]


class KeptPlaces:
    """The last two places from which reading can begin again."""

    def __init__(self, exchange: Exchange, state: dict[str, Any]) -> None:
        """Begin with what `dump` returned, or with an empty dict."""
        self._exchange = exchange
        self._at: int = state.get("kept_at", 0)
        self._kept = [_Kept(Place(*place), books, *more[:1] or [{}]) for place, books, *more in state.get("kept", [])]

    def dump(self) -> dict[str, Any]:
        """Return everything as values of JSON."""
        kept = [[[item.place.segment, item.place.offset], item.books, item.known] for item in self._kept]
        return {"kept_at": self._at, "kept": kept}

    def begin(self, place: Place) -> None:
        """Keep the place where everything begins, if none is kept."""
        if not self._kept:
            self._kept.append(_Kept(place, [], {}))

    @property
    def first(self) -> tuple[Place, dict[str, Any]] | None:
        """Where to begin again, and what was known there; None before any place."""
        return (self._kept[0].place, self._kept[0].known) if self._kept else None

    def keep(
        self,
        received: int,
        place: Place,
        books: Callable[[], Iterable[tuple[Symbol, int, Levels]]],
        known: Callable[[], dict[str, Any]],
    ) -> tuple[list[tuple[ObjectKey, Levels]], list[ObjectKey]]:
        """Keep a place if it is time to.

        Args:
            received: Arrival of the last line, µs.
            place: Where reading is.
            books: Gives the whole books that are known there, with their numbers.
            known: Gives what else is known there.

        Returns:
            Whole books to write, and those that are of no use any more.
        """
        if self._at and received - self._at < _KEPT_EVERY_US:
            return [], []
        self._at = received
        found = list(books())
        names = [f"{symbol} {number}" for symbol, number, _ in found]
        self._kept.append(_Kept(Place(place.segment, place.offset), names, known()))
        gone, self._kept = self._kept[:-2], self._kept[-2:]
        still = {name for item in self._kept for name in item.books}
        new = [(ObjectKey.book_state(self._exchange, symbol, number), levels) for symbol, number, levels in found]
        return new, _book_keys(self._exchange, [name for item in gone for name in item.books if name not in still])


def _book_keys(exchange: Exchange, names: Sequence[str]) -> list[ObjectKey]:
    split = (name.rpartition(" ") for name in names)
    return [ObjectKey.book_state(exchange, Symbol.parse(symbol), int(number)) for symbol, _, number in split]
