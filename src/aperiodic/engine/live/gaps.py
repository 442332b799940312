"""What is known to be missing of open days, asked for now and then, and what of it has become known since."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from aperiodic.completeness.judgement import Judgement
from aperiodic.market import DAY_US, Stream
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aperiodic.lake import Lake
    from aperiodic.market import Exchange, Symbol

__all__ = ["KnownGaps"]

_ASKED_EVERY_US: Final = 2_000_000

_Owner = tuple["Exchange", "Symbol"]


class KnownGaps:
    """The intervals in which ticks of instruments are missing, today and the day before.

    Args:
        lake: What knows them.
        now: Tells the time, µs.
    """

    def __init__(self, lake: Lake, now: Callable[[], int]) -> None:
        self._lake = lake
        self._now = now
        self._asked = 0
        self._known: dict[tuple[_Owner, str], list[tuple[int, int]]] = {}
        self._new: defaultdict[_Owner, list[tuple[str, int, int]]] = defaultdict(list)

    def refresh(self, owners: Iterable[_Owner]) -> None:
        """Ask the ledger, unless that was done a moment ago.

        Raises:
            LakeError: `ledger_unavailable`.
        """
        if self._now() - self._asked < _ASKED_EVERY_US:
            return
        self._asked = self._now()
        today = day_at(self._now() // DAY_US)
        yesterday = day_at(self._now() // DAY_US - 1)
        symbols: defaultdict[Exchange, set[Symbol]] = defaultdict(set)
        for exchange, symbol in owners:
            symbols[exchange].add(symbol)
        for exchange, some in symbols.items():
            names = [str(symbol) for symbol in some]
            with self._lake.engine.connect() as connection:
                judgement = Judgement(connection, exchange, names, list(Stream), yesterday, today)
            for symbol in some:
                for stream in Stream:
                    missing = judgement.missing(str(symbol), stream)
                    self._learn((exchange, symbol), stream, [(each.begin, each.end) for each in missing])

    def is_complete(self, owner: _Owner, streams: Sequence[str], begin: int, end: int) -> bool:
        """Whether nothing is known to be missing from `begin` until before `end`, µs."""
        return not any(
            first < end and last >= begin for stream in streams for first, last in self._known.get((owner, stream), ())
        )

    @property
    def new(self) -> list[_Owner]:
        """Instruments of which gaps have become known that `take_new` has not returned."""
        return list(self._new)

    def take_new(self, owner: _Owner) -> list[tuple[str, int, int]]:
        """Return stream, begin and end, µs, of what has become known since the last time."""
        return self._new.pop(owner, [])

    def _learn(self, owner: _Owner, stream: Stream, found: list[tuple[int, int]]) -> None:
        known = self._known.get((owner, stream))
        self._known[owner, stream] = found
        if known is None or known == found:
            return  # what was known at the start is in the first rows
        ends = dict(known)
        for begin, end in found:
            if begin not in ends:
                self._new[owner].append((stream, begin, end))
            elif end > ends[begin]:
                self._new[owner].append((stream, ends[begin], end))
