"""What was received and could not be written, until the recording can say so."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.venues.feed import Frame

__all__ = ["DISK_FULL", "DROPPED", "Losses", "word_line"]

DROPPED: Final = "dropped"
"""Cause of a loss: the disk was too slow."""

DISK_FULL: Final = "disk_full"
"""Cause of a loss: the disk was full."""

_NOBODY: Final = b"-"
_LONGEST_KEPT: Final = 64 << 10
_MOST_KEPT: Final = 1 << 20
_OF_CONNECTIONS: Final = frozenset({b"!open", b"!close", b"!live", b"!silent", b"!gap", b"!clock"})
"""Words that are kept however long a disk stays full; answers of REST hosts are asked for anew where they matter."""


@dataclass(slots=True)
class _Loss:
    """What was lost of one connection for one cause."""

    begin: int
    end: int
    frames: int = 0
    size: int = 0
    streams: set[str] = field(default_factory=set)

    def add(self, at: int, said: bytes, stream: str) -> None:
        self.end = max(self.end, at)
        self.frames += 1
        self.size += len(said)
        if stream:
            self.streams.add(stream)


class Losses:
    """Frames that were lost, counted by connection, and lines of our own, which are kept.

    Attributes:
        frames: Frames lost since the start, by cause.
        gaps: Gaps since the start.
        overflowed: Whether even lines of our own were lost since the last `take`.
    """

    def __init__(self, read: Callable[[bytes], Frame]) -> None:
        """Begin without any.

        Args:
            read: Tells what a frame is, so that a loss can be told by stream.
        """
        self.frames: Counter[str] = Counter()
        self.gaps = 0
        self.overflowed = False
        self._read = read
        self._lost: dict[tuple[bytes, str], _Loss] = {}
        self._kept: list[bytes] = []
        self._kept_bytes = 0

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._lost or self._kept)

    @property
    def last(self) -> int:
        """Time of the last frame that was lost, ns; 0 where none was."""
        return max((loss.end for loss in self._lost.values()), default=0)

    def add(self, lines: bytes, cause: str) -> None:
        """Take lines that are not written.

        Args:
            lines: Whole lines.
            cause: `DROPPED` or `DISK_FULL`.
        """
        for line in lines.split(b"\n")[:-1]:
            stamp, conn, said = line.split(b" ", 2)
            word = said.partition(b" ")[0]
            if word.startswith(b"!") and word != b"!b64":
                if cause != DISK_FULL or word in _OF_CONNECTIONS:
                    self._keep(line)
                continue
            at = int(stamp)
            loss = self._lost.get((conn, cause))
            if loss is None:
                loss = self._lost[conn, cause] = _Loss(at, at)
                self.gaps += 1
            loss.add(at, said, self._read(said).name)
            self.frames[cause] += 1

    def tell(self, local: int) -> bytes:
        """Return what is to be written instead: lines of our own, and what each connection lost, before its end.

        Args:
            local: Time of the lines that say so, ns.
        """
        told: list[bytes] = []
        untold = dict(self._lost)
        for line in self._kept:
            _, conn, said = line.split(b" ", 2)
            if said.startswith(b"!close"):
                own = [key for key in untold if key[0] == conn]
                told += (_gap_line(key, untold.pop(key), local) for key in own)
            told.append(line + b"\n")
        told += (_gap_line(key, loss, local) for key, loss in untold.items())
        return b"".join(told)

    def take(self) -> set[str]:
        """Forget what was told; return the names of the streams that lost frames."""
        streams = set().union(*(loss.streams for loss in self._lost.values()))
        self._lost, self._kept, self._kept_bytes, self.overflowed = {}, [], 0, False
        return streams

    def _keep(self, line: bytes) -> None:
        if len(line) > _LONGEST_KEPT or self._kept_bytes + len(line) > _MOST_KEPT:
            self.overflowed = True
            return
        self._kept.append(line)
        self._kept_bytes += len(line)


def word_line(local: int, conn: bytes, word: str, body: Any, before: bytes = b"") -> bytes:  # noqa: ANN401
    """Return a line of our own: `<local> <conn> !<word> <before><body>`.

    Args:
        local: Time, ns.
        conn: Short id of the connection; empty for none.
        word: What it says.
        body: JSON as bytes, or what is to be encoded.
        before: What stands before the body.
    """
    text = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return b"%d %s !%s %s%s\n" % (local, conn or _NOBODY, word.encode(), before, text)


def _gap_line(key: tuple[bytes, str], loss: _Loss, local: int) -> bytes:
    conn, cause = key
    body = {
        "from": loss.begin,
        "to": loss.end,
        "frames": loss.frames,
        "bytes": loss.size,
        "streams": sorted(loss.streams),
        "cause": cause,
    }
    return word_line(local, conn, "gap", body)
