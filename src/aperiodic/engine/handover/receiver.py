"""Takes ticks that are handed over, and knows from when on they are all there."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aperiodic.engine.handover.messages import FILE, Announced, HandedOver, decode
from aperiodic.engine.local_hub import follow_local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aperiodic.engine.handover.messages import Message

__all__ = ["TicksReceiver", "Track"]

_MOST_WAITING: Final = 1_024
"""Messages that wait to be taken; when there are more, they are dropped, and read from files."""
_MOST_BYTES: Final = 256 << 20
"""Their bytes."""
_MOST_KNOWN: Final = 100_000


@dataclass(slots=True)
class _Writer:
    """What has come of one writer.

    Attributes:
        run: Of the process that reads its recordings.
        since: Number from which on nothing is missing.
        last: Number of the last message.
        committed: Files hold everything up to this number.
        received: Everything that arrived until then has come, µs.
        is_whole: Whether what came before `since` was read from files.
    """

    run: str = ""
    since: int = 0
    last: int = 0
    committed: int = 0
    received: int = 0
    is_whole: bool = False


class Track:
    """Knows of each writer from when on everything was handed over, and which files hold nothing new."""

    def __init__(self) -> None:
        self._writers: dict[tuple[str, str], _Writer] = {}
        self._known: OrderedDict[str, None] = OrderedDict()

    def forget(self) -> None:
        """Messages were missed."""
        self._writers.clear()

    def take(self, message: HandedOver) -> None:
        """Count a message."""
        writer = self._writers.setdefault((message.exchange, message.shard), _Writer())
        if writer.run != message.run or message.number != writer.last + 1:
            writer.run, writer.since, writer.is_whole = message.run, message.number, False
        writer.last, writer.committed, writer.received = message.number, message.committed, message.received

    def announce(self, files: Announced) -> None:
        """Remember files that hold nothing but what came."""
        writer = self._writers.get((files.exchange, files.shard))
        if writer is not None and writer.run == files.run and writer.since <= files.first and files.last <= writer.last:
            self._known.update(dict.fromkeys(files.fingerprints))
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    def is_known(self, fingerprint: str) -> bool:
        """Whether all ticks of a file were handed over; asked once for each file."""
        return self._known.pop(fingerprint, self) is None

    def committed(self) -> list[tuple[str, str]]:
        """Return the writers of which files hold everything that was not handed over."""
        return [key for key, writer in self._writers.items() if writer.committed >= writer.since - 1]

    def read_files(self, writers: list[tuple[str, str]]) -> None:
        """Take that files were read after `committed` had named these writers."""
        for key in writers:
            if key in self._writers:
                self._writers[key].is_whole = True

    @property
    def received(self) -> dict[tuple[str, str], int]:
        """By venue and writer: everything that arrived until then is here, µs; only of those of which nothing is missing."""
        return {key: writer.received for key, writer in self._writers.items() if writer.is_whole}


class TicksReceiver:
    """Receives messages in a thread of its own.

    Args:
        home: Folder of the installation.
    """

    def __init__(self, home: Path) -> None:
        self.track = Track()
        self._path = home / FILE
        self._over = threading.Event()
        self._ready = threading.Condition()
        self._messages: deque[tuple[Message | None, int]] = deque()
        self._bytes = 0
        self._thread = threading.Thread(target=self._follow, name="ticks", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop receiving."""
        self._over.set()
        with self._ready:
            self._ready.notify_all()
        self._thread.join()

    def wait(self, seconds: float) -> None:
        """Wait until something has come, or so long."""
        with self._ready:
            if not self._messages and not self._over.is_set():
                self._ready.wait(seconds)

    def has_more(self) -> bool:
        """Whether something has come that was not taken."""
        return bool(self._messages)

    def take(self) -> Iterator[HandedOver | Announced]:
        """Yield what has come, and let `track` know of it first."""
        while True:
            with self._ready:
                if not self._messages:
                    return
                message, size = self._messages.popleft()
                self._bytes -= size
            if message is None:
                self.track.forget()
            elif isinstance(message, HandedOver):
                self.track.take(message)
                yield message
            else:
                self.track.announce(message)
                yield message

    def _follow(self) -> None:
        follow_local(self._path, self._receive, self._over.is_set, self._over.wait)

    def _receive(self, body: bytes, missed: bool) -> None:
        message = decode(body)
        with self._ready:
            if missed or len(self._messages) >= _MOST_WAITING or self._bytes >= _MOST_BYTES:
                self._messages.clear()
                self._messages.append((None, 0))
                self._bytes = 0
            self._messages.append((message, len(body)))
            self._bytes += len(body)
            self._ready.notify()
