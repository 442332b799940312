"""All recordings of an installation → ticks: shard by shard, in rounds, with what closed days need in between."""

from __future__ import annotations

import time
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from aperiodic.engine.normalising.closing import close_days, join_small_parts
from aperiodic.engine.normalising.pace import Pace
from aperiodic.engine.normalising.shard import Shard
from aperiodic.lake import Lake, LakeError
from aperiodic.lake.checkpoints import read_checkpoints
from aperiodic.lake.errors import AWAY, UNUSABLE
from aperiodic.lake.recordings import Recording, list_recordings
from aperiodic.market import Source
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from aperiodic.engine.handover import TicksSender
    from aperiodic.market import Exchange, Stream, Symbol

__all__ = ["Normaliser", "Progress"]

_AT_ONCE: Final = 8 << 20
"""Bytes of lines read of a shard before the next one has its turn."""

_LISTED_EVERY_S: Final = 1.0
_TIDIED_EVERY_S: Final = 60.0
_JOINED_EVERY_S: Final = 5.0
_JOINED_SHARE: Final = 1 / 40
"""Of all days; so each has its turn before it has many parts again."""
_COMMITS_SHARE: Final = 10
"""After a commit the next one waits at least this many times as long as it took: many small files cost more than few."""
_COMMITS_APART_S: Final = 15.0
"""But no longer than this because of it: until then whoever takes ticks at once remembers them."""
_GAPS_APART_S: Final = 5.0
"""The same where something may be missing, for gaps become known with commits."""
_PAUSE_S: Final = 0.25
_SHORT_PAUSE_S: Final = 0.02
"""The same where ticks are handed over at once."""
_AGAIN: Final = frozenset({"busy", "lease_lost", "ledger_unavailable", *AWAY})
"""Errors after which the same commit may succeed later."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work is.

    Attributes:
        shards: Writers whose recordings are followed.
        ticks: Ticks committed since the start.
        behind_s: How long ago the last committed line of the shard that is furthest behind arrived, s; None before any,
            and when all of what ended recordings hold is committed.
        waits: Why the last commit could not be made, None where it could.
    """

    shards: int
    ticks: int
    behind_s: float | None
    waits: str | None


class Normaliser:
    """Follows the recordings of an installation.

    Args:
        lake: The installation.
        exchanges: Only these venues; empty for all.
        every_s: Time between two commits, seconds; longer where a commit takes long.
        grace_s: How long after its end a day still waits for late ticks, seconds.
        source: What the ticks are: recorded, or simulated by a mock of the exchanges.
        committed: Called after every round of commits that made ticks.
        say: Takes what a person should know.
        sender: Takes ticks before they are committed.
        in_between: Called again and again while recordings are followed, when there is time for something that takes a
            while.
    """

    def __init__(
        self,
        lake: Lake,
        *,
        exchanges: Collection[Exchange] = (),
        every_s: float = 60.0,
        grace_s: float = 3_600.0,
        source: Source = Source.RECORDING,
        committed: Callable[[Progress], object] | None = None,
        say: Callable[[str], object] = lambda _words: None,
        sender: TicksSender | None = None,
        in_between: Callable[[], object] = lambda: None,
    ) -> None:
        self._lake = lake
        self._exchanges = frozenset(exchanges)
        self._every_s = every_s
        self._grace_us = round(grace_s * 1_000_000)
        self._shards: dict[tuple[Exchange, str], Shard] = {}
        self._better: defaultdict[Exchange, set[tuple[Stream, Symbol]]] = defaultdict(set)
        self._recordings: dict[tuple[Exchange, str], list[Recording]] = {}
        self._listed = self._tidied = self._joined = self._committed = -float("inf")
        self._took = 0.0
        self._pace = Pace(self._has_time)
        self._source = source
        self._waits: str | None = None
        self._sender = sender
        self._in_between = in_between
        # An object of its own for what is done aside, for it knows which leases its batches need.
        self._aside = Lake(lake.store, lake.engine, lake.home)
        self._last_told: tuple[int, str | None] = (0, None)
        self._say = say
        self._cut: dict[tuple[Exchange, str], Recording] = {}
        self._told = committed or (lambda _progress: None)
        with lake.engine.connect() as connection:
            self._checkpoints = read_checkpoints(connection)

    @property
    def progress(self) -> Progress:
        """How far the work is now."""
        received = [
            shard.received
            for key, shard in self._shards.items()
            if shard.received and not shard.has_ended(self._recordings.get(key, []))
        ]
        behind = max(now_us() - min(received), 0) / 1_000_000 if received else None
        return Progress(len(self._shards), sum(shard.ticks for shard in self._shards.values()), behind, self._waits)

    @property
    def cut(self) -> list[Recording]:
        """Recordings that were cut, before which reading waits until they are whole."""
        return sorted(self._cut.values())

    def run_once(self) -> None:
        """Make ticks of everything that is there now, and commit it.

        Raises:
            LakeError: `checkpoint_newer` or `checkpoint_damaged`: it is not known where to go on. A commit could not be made; what was committed stays.
        """
        self._list()
        while True:
            read = sum(self._read(key, shard) for key, shard in self._shards.items())
            # One that is empty was read to its end too, and others may follow.
            has_ended_any = any(shard.is_full for shard in self._shards.values())
            for shard in self._shards.values():
                shard.commit()
            if not read and not has_ended_any:
                break
        self._tidy()

    def follow(self, is_over: Callable[[], bool], wait: Callable[[float], object] = time.sleep) -> None:
        """Make ticks of recordings as they grow, until `is_over`; then commit what was read.

        Args:
            is_over: Asked between two pieces of work.
            wait: Waits for so many seconds; returns earlier when `is_over` has become true.

        Raises:
            LakeError: The store or the ledger failed for good.
        """
        with ThreadPoolExecutor(1, "commit") as aside:
            work: Future[list[Shard]] | None = None
            while not is_over():
                if time.monotonic() - self._listed >= _LISTED_EVERY_S:
                    self._list()
                    self._listed = time.monotonic()
                read = 0
                for key, shard in self._shards.items():
                    if shard.is_full:
                        shard.prepare()
                    read += 0 if shard.is_full else self._read(key, shard)
                    shard.hand_over()
                if not self._pace.rests:
                    if work is None or work.done():
                        self._finish(work)
                        todo = self._next()
                        work = None if todo is None else aside.submit(todo)
                    self._in_between()
                if not read:
                    wait(_PAUSE_S if self._sender is None or not self._sender.is_read else _SHORT_PAUSE_S)
            self._pace.hurry()
            self._finish(work)
        for key, shard in self._shards.items():
            self._commit(shard)
            while not shard.is_full and self._read(key, shard):
                pass
            self._commit(shard)

    def _next(self) -> Callable[[], list[Shard]] | None:
        """Return what is to be done aside now, if anything; it returns the shards whose commits were made."""
        now = time.monotonic()
        apart = _GAPS_APART_S if any(shard.has_gaps for shard in self._shards.values()) else _COMMITS_APART_S
        due = now - self._committed >= max(self._every_s, min(_COMMITS_SHARE * self._took, apart))
        wanted = [shard for shard in self._shards.values() if due or shard.is_full or shard.has_aside]
        shards = [shard for shard in wanted if shard.prepare()]
        if due:
            self._committed = now
        if shards:
            return partial(self._write, shards)
        if now - self._joined >= _JOINED_EVERY_S:
            self._joined = now
            return partial(self._tried, partial(join_small_parts, self._aside, _JOINED_SHARE))
        if now - self._tidied >= _TIDIED_EVERY_S:
            self._tidied = now
            return partial(self._tried, self._close_days)
        return None

    def _write(self, shards: list[Shard]) -> list[Shard]:
        began = time.monotonic()
        written = [shard for shard in shards if self._try(partial(shard.write, self._aside, self._pace))]
        self._took = time.monotonic() - began
        return written

    def _has_time(self) -> bool:
        """Whether a commit may take its time: ticks are handed over at once, and nothing else waits for it."""
        is_read = self._sender is not None and self._sender.is_read
        return is_read and not any(shard.has_gaps or shard.is_full for shard in self._shards.values())

    def _tried(self, action: Callable[[], object]) -> list[Shard]:
        """Do what may as well be done later: parts that cannot be read stay as they are, and ticks are made as ever."""
        self._try(action, _AGAIN | UNUSABLE)
        return []

    def _finish(self, work: Future[list[Shard]] | None) -> None:
        if work is None:
            return
        for shard in work.result():
            shard.finish()
        self._tell()

    def _list(self) -> None:
        found: defaultdict[tuple[Exchange, str], list[Recording]] = defaultdict(list)
        for recording in list_recordings(self._lake.home):
            if not self._exchanges or recording.exchange in self._exchanges:
                found[recording.exchange, f"{recording.host}-{recording.shard}"].append(recording)
        self._recordings = found
        for key in found:
            if key not in self._shards:
                exchange, name = key
                self._shards[key] = Shard(
                    self._lake,
                    exchange,
                    name,
                    self._checkpoints.get(key),
                    self._better[exchange],
                    self._source,
                    self._sender,
                )
                if self._shards[key].is_damaged:
                    self._say(
                        f"what was known of {exchange} {name} at the last commit cannot be read; it is learned again "
                        "from the recording at work, and order books begin with their next snapshot"
                    )

    def _read(self, key: tuple[Exchange, str], shard: Shard) -> int:
        read = shard.read(self._recordings.get(key, []), _AT_ONCE)
        if shard.cut is None:
            self._cut.pop(key, None)
        elif self._cut.get(key) != shard.cut:
            self._cut[key] = shard.cut
            self._say(_cut_words(shard.cut))
        return read

    def _commit(self, shard: Shard) -> None:
        self._try(shard.commit)

    def _tell(self) -> None:
        progress = self.progress
        if (progress.ticks, progress.waits) != self._last_told:
            self._last_told = (progress.ticks, progress.waits)
            self._told(progress)

    def _try(self, action: Callable[[], object], passing: Collection[str] = _AGAIN) -> bool:
        """Return whether it could be done; if not, it is tried again later."""
        try:
            action()
        except LakeError as error:
            if error.code not in passing:
                raise
            self._waits = error.message
            return False
        self._waits = None
        return True

    def _tidy(self) -> None:
        """Join what came in small parts, and make one object of each closed day."""
        join_small_parts(self._lake)
        self._close_days()

    def _close_days(self) -> None:
        idle = {exchange for exchange, _ in self._shards} - {
            exchange for (exchange, _), shard in self._shards.items() if not shard.is_idle
        }
        close_days(self._aside, now_us() - self._grace_us, idle)


def _cut_words(recording: Recording) -> str:
    return (
        f"{recording.path} is not whole: it is shorter than its sidecar says. Nothing of {recording.exchange} "
        f"{recording.writer} is read from there on until it is whole. Bring it back (aperiodic recordings fetch "
        f"--exchange {recording.exchange}, where the store has it, or from a copy); to take what is left of it for all, delete "
        f"{recording.sidecar_path.name} beside it"
    )
