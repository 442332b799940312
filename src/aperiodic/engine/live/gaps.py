"""What is known to be missing of open days, asked for now and then, and what of that has changed since."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from aperiodic.completeness.judgement import Judgement
from aperiodic.market import DAY_US, Stream
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from aperiodic.lake import Lake
    from aperiodic.market import Exchange, Symbol

__all__ = ["KnownGaps"]

_ASKED_EVERY_US: Final = 2_000_000

_Owner = tuple["Exchange", "Symbol"]
_Series = tuple[_Owner, str]
_Gaps = dict[int, int]
"""End of each gap by its begin, µs; both belong to it."""


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
        self._answers: dict[_Series, _Gaps] = {}
        self._known: dict[_Series, _Gaps] = {}
        self._before: dict[_Series, _Gaps] = {}
        self._changed: defaultdict[_Owner, list[tuple[str, int, int]]] = defaultdict(list)

    def ask(self, owners: Iterable[_Owner]) -> None:
        """Ask the ledger, unless that was done a moment ago; `learn` takes what it says.

        Ticks are read in between, so that no gap is held to be filled before the ticks that fill it are here.

        Raises:
            LakeError: `ledger_unavailable`.
        """
        if self._now() - self._asked < _ASKED_EVERY_US:
            return
        self._asked = self._now()
        self._answers = self._read(owners)

    def learn(self, behind: Collection[_Owner]) -> None:
        """Take what the ledger said.

        Args:
            behind: Instruments whose bars lack ticks that are in files: of these no gap is held to be filled.
        """
        for series, answer in self._answers.items():
            known = self._known.get(series, {})
            kept = known if series[0] in behind else {}
            found = answer | {begin: max(end, answer.get(begin, end)) for begin, end in kept.items()}
            is_met = series in self._known
            self._known[series] = found
            if not is_met or found == known:
                continue
            self._before.setdefault(series, known)
            self._changed[series[0]] += [(series[1], *edges) for edges in _differences(known, found)]
        self._answers = {}

    def meet(self, owners: Iterable[_Owner]) -> None:
        """Ask the ledger of instruments of which nothing was told.

        Raises:
            LakeError: `ledger_unavailable`.
        """
        new = [owner for owner in owners if (owner, Stream.TRADES) not in self._known]
        if new:
            self._known |= self._read(new)

    def is_complete(self, owner: _Owner, streams: Sequence[str], begin: int, end: int) -> bool:
        """Whether nothing is known to be missing from `begin` until before `end`, µs."""
        return not any(_touches(self._known.get((owner, stream), {}), begin, end) for stream in streams)

    def was_complete(self, owner: _Owner, streams: Sequence[str], begin: int, end: int) -> bool:
        """The same, before what `changed` names."""
        found = [self._before.get((owner, stream), self._known.get((owner, stream), {})) for stream in streams]
        return not any(_touches(gaps, begin, end) for gaps in found)

    @property
    def changed(self) -> dict[_Owner, list[tuple[str, int, int]]]:
        """Stream, begin and end, µs, of what has become known or is filled since `forget_changes`, by instrument."""
        return self._changed

    def forget_changes(self, owner: _Owner) -> None:
        """The rows of an instrument have been told anew."""
        self._changed.pop(owner, None)
        for stream in Stream:
            self._before.pop((owner, stream), None)

    def _read(self, owners: Iterable[_Owner]) -> dict[_Series, _Gaps]:
        today = day_at(self._now() // DAY_US)
        yesterday = day_at(self._now() // DAY_US - 1)
        symbols: defaultdict[Exchange, set[Symbol]] = defaultdict(set)
        for exchange, symbol in owners:
            symbols[exchange].add(symbol)
        answers: dict[_Series, _Gaps] = {}
        for exchange, some in symbols.items():
            names = [str(symbol) for symbol in some]
            with self._lake.engine.connect() as connection:
                judgement = Judgement(connection, exchange, names, list(Stream), yesterday, today)
            for symbol in some:
                for stream in Stream:
                    gaps: _Gaps = {}
                    for each in judgement.missing(str(symbol), stream):
                        gaps[each.begin] = max(each.end, gaps.get(each.begin, each.end))
                    answers[(exchange, symbol), stream] = gaps
        return answers


def _touches(gaps: _Gaps, begin: int, end: int) -> bool:
    return any(first < end and last >= begin for first, last in gaps.items())


def _differences(known: _Gaps, found: _Gaps) -> list[tuple[int, int]]:
    """Return begin and end of what is in one of the two only, µs."""
    differences = []
    for begin in known.keys() | found.keys():
        one, other = known.get(begin, begin), found.get(begin, begin)
        if one != other or (begin in known) is not (begin in found):
            differences.append((min(one, other), max(one, other)))
    return differences
