"""The recordings of an installation, put into its store one after the other, and removed from the disk when it is time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aperiodic.engine.uploading.removal import passed, remove, remove_left
from aperiodic.engine.uploading.telling import Failure, Told, tell
from aperiodic.lake import LakeError
from aperiodic.lake.errors import AWAY, reason_of
from aperiodic.lake.recording_store import put, stored_since
from aperiodic.lake.recordings import list_recordings, read_sidecar
from aperiodic.market import DAY_US
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from aperiodic.lake import Lake
    from aperiodic.lake.recordings import Recording
    from aperiodic.market import Exchange

__all__ = ["Uploader"]

_EVERY_S: Final = 10.0
_ROUND_S: Final = 30.0
"""After this time recordings are listed anew, and those that may go are removed, however many wait."""

_REMOVED_EVERY_S: Final = 60.0
_FIRST_WAIT_S: Final = 10.0
_LONGEST_WAIT_S: Final = 3_600.0
_LONGEST_OUTAGE_S: Final = 300.0
_OF_THE_STORE: Final = frozenset({*AWAY, "store_of_another", "store_write_failed"})
_IN_A_ROW: Final = 2
"""After so many failures of the store, one after the other, the rest waits."""


@dataclass(slots=True)
class _Failing:
    """A recording that could not be put into the store.

    Attributes:
        wait_s: How long to wait after the next failure.
        again: When to try again, s.
    """

    wait_s: float = _FIRST_WAIT_S
    again: float = 0.0

    def failed(self, now: float, longest_s: float) -> None:
        """Wait, and longer the next time."""
        self.again = now + self.wait_s
        self.wait_s = min(self.wait_s * 2, longest_s)


class Uploader:
    """Puts sealed recordings into the store; open ones are never touched.

    Attributes:
        failing: What failed at the last try, by the key of the recording.
        uploaded: Recordings that were put into the store, by venue; those that were there do not count.
    """

    def __init__(
        self,
        lake: Lake,
        *,
        exchanges: Collection[Exchange] = (),
        on_disk_days: int = 7,
        say: Callable[[str], object] = lambda _words: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare.

        Args:
            lake: The installation.
            exchanges: Only these venues; empty for all.
            on_disk_days: So long recordings stay on the disk once they are in the store, days; and always until their
                ticks are committed.
            say: Takes what a person should know.
            clock: Tells when to try again, s.
        """
        self.failing: dict[str, LakeError] = {}
        self.uploaded: Counter[Exchange] = Counter()
        self._lake = lake
        self._exchanges = frozenset(exchanges)
        self._days = on_disk_days
        self._say = say
        self._clock = clock
        self._stored: set[str] = set()
        self._waits: dict[str, _Failing] = {}
        self._outage = _Failing()
        self._looked = -float("inf")
        self._counts: dict[str, Counter[Exchange]] = {
            name: Counter() for name in ("uploaded_bytes", "removed", "removed_bytes", "failures")
        }
        self._last_failures: dict[Exchange, Failure] = {}

    async def follow(self) -> None:
        """Go on until cancelled; what fails is told, and tried again later."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again_and_again(self._work))
            tasks.create_task(self._again_and_again(self._tell))

    async def run_once(self) -> None:
        """Put into the store what is there and due, remove what may go, and tell how it is.

        Raises:
            LakeError: The ledger failed.
            OSError: The disk refused.
        """
        await self._work(float("inf"))
        await self._tell()

    async def _again_and_again(self, action: Callable[[], Awaitable[object]]) -> None:
        trouble = ""
        while True:
            more = False
            try:
                more = await action() is True
                trouble = ""
            except Exception as error:  # noqa: BLE001 - whatever it is, recordings must not be left waiting for ever
                if trouble != (trouble := f"recordings wait for the store: {_in_words(error)}"):
                    self._say(trouble)
            await asyncio.sleep(0 if more else _EVERY_S)

    async def _work(self, most_s: float = _ROUND_S) -> bool:
        """Put into the store what is due, and remove what may go; return whether time was over before all was put."""
        recordings = self._list()
        more = await self._put_all(recordings, self._clock() + most_s)
        if self._clock() - self._looked >= _REMOVED_EVERY_S:
            self._looked = self._clock()
            await self._remove(recordings)
        return more

    def _list(self) -> list[Recording]:
        return [
            recording
            for recording in list_recordings(self._lake.home)
            if not recording.is_open and (not self._exchanges or recording.exchange in self._exchanges)
        ]

    async def _put_all(self, recordings: Sequence[Recording], until: float) -> bool:
        keys = {recording.key for recording in recordings}
        self._stored &= keys
        for gone in self.failing.keys() - keys:
            del self.failing[gone]
            self._waits.pop(gone, None)
        in_a_row = 0
        for recording in recordings:
            now = self._clock()
            waits = self._waits.get(recording.key)
            if recording.key in self._stored or now < self._outage.again or (waits is not None and now < waits.again):
                continue
            try:
                size = recording.path.stat().st_size
                is_new = await put(self._lake.store, recording)
            except FileNotFoundError:
                continue  # it was moved away
            except (LakeError, OSError) as error:
                in_a_row += self._failed(recording, error)
                if in_a_row >= _IN_A_ROW:
                    self._outage.failed(self._clock(), _LONGEST_OUTAGE_S)
            else:
                self._done(recording, size if is_new else None)
                in_a_row = 0
                if now >= until:
                    return True
        return False

    def _done(self, recording: Recording, added: int | None) -> None:
        """Take note that a recording is in the store, and of its bytes where it was not before."""
        self._stored.add(recording.key)
        if added is not None:
            self.uploaded[recording.exchange] += 1
            self._counts["uploaded_bytes"][recording.exchange] += added
        self.failing.pop(recording.key, None)
        self._waits.pop(recording.key, None)
        self._outage = _Failing()
        for key, error in self.failing.items():
            if error.code in _OF_THE_STORE:  # it works again
                self._waits.pop(key, None)

    def _failed(self, recording: Recording, error: LakeError | OSError) -> bool:
        """Take note of a failure; return whether it is one of the store."""
        if not isinstance(error, LakeError):
            error = LakeError(
                f"The recording {recording.key} cannot be read: {reason_of(error)}.",
                code="recording_unreadable",
                hint="Check the disk, and that the user that runs this may read it.",
                path=recording.key,
            )
        before = self.failing.get(recording.key)
        self.failing[recording.key] = error
        of_the_store = error.code in _OF_THE_STORE
        longest_s = _LONGEST_OUTAGE_S if of_the_store else _LONGEST_WAIT_S
        self._waits.setdefault(recording.key, _Failing()).failed(self._clock(), longest_s)
        self._counts["failures"][recording.exchange] += 1
        self._last_failures[recording.exchange] = Failure(
            time=round(time.time(), 3),
            recording=recording.key,
            code=error.code or "",
            message=error.message,
            hint=error.hint or "",
        )
        if before is None or before.code != error.code:
            self._say(f"a recording waits for the store: {_in_words(error)}")
        return of_the_store

    async def _remove(self, recordings: Sequence[Recording]) -> None:
        remove_left(self._lake)
        now = now_us()
        for recording in passed(self._lake, recordings, self._days, now):
            if recording.key not in self._stored:
                continue
            try:
                if not await self._may_go(recording, now):
                    continue
                size = remove(recording)
            except FileNotFoundError:
                continue  # it was moved away
            except LakeError as error:
                self._stored.discard(recording.key)
                if self._failed(recording, error):
                    return
            else:
                self._counts["removed"][recording.exchange] += 1
                self._counts["removed_bytes"][recording.exchange] += size

    async def _may_go(self, recording: Recording, now: int) -> bool:
        """Whether the store has held a recording for long enough, and holds it still; it is asked."""
        sidecar, store = read_sidecar(recording), self._lake.store
        if sidecar is None or recording.path.is_symlink() or store.added.is_same(recording.key, recording.path):
            return False
        since = await stored_since(store, recording, sidecar)
        if since is None:
            self._stored.discard(recording.key)  # it has gone from there, and is put there again
            return False
        return now - since >= self._days * DAY_US

    async def _tell(self) -> None:
        recordings = self._list()
        for exchange in {recording.exchange for recording in recordings} | self._last_failures.keys():
            own = [each for each in recordings if each.exchange == exchange and each.key not in self._stored]
            waiting = {recording: size for recording in own if (size := _size(recording)) is not None}
            told = Told(
                exchange=exchange,
                time=round(time.time(), 3),
                waiting=len(waiting),
                waiting_bytes=sum(waiting.values()),
                oldest=min((recording.start_ns / 1e9 for recording in waiting), default=None),
                failing=sum(recording.key in self.failing for recording in waiting),
                uploaded=self.uploaded[exchange],
                last_failure=self._last_failures.get(exchange),
                **{name: counts[exchange] for name, counts in self._counts.items()},
            )
            tell(self._lake.home, told)


def _size(recording: Recording) -> int | None:
    try:
        return recording.path.stat().st_size
    except OSError:  # it was moved away
        return None


def _in_words(error: Exception) -> str:
    if isinstance(error, LakeError):
        return f"{error.message} ({error.code})"
    return reason_of(error)
