"""Segments of a recorder, made up line by line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import zstandard
from tests.engine.importing import frames

from aperiodic.lake.recordings import Recording, Sidecar, new_recording, seal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from aperiodic.market import Exchange

T = frames.T
"""2023-04-04 23:58:20 UTC, ms."""


def told(ms: float, connection: str, word: str, **facts: object) -> bytes:
    """What the recorder tells `ms` after T."""
    return f"{round((T + ms) * 1_000_000)} {connection} !{word} {json.dumps(facts)}\n".encode()


def opened(ms: float, connection: str, *streams: str, **facts: object) -> bytes:
    return told(ms, connection, "open", url="wss://x", **{"class": "public", "streams": streams} | facts)


def live(ms: float, connection: str, *streams: str, **facts: object) -> bytes:
    return told(ms, connection, "live", streams=streams, **facts)


def closed(ms: float, connection: str, reason: str = "reset", by: str = "venue") -> bytes:
    return told(ms, connection, "close", code=1006, reason=reason, by=by)


def over(connection: str, line: bytes, *, ms: float = 0) -> bytes:
    """A line of `frames`, as it comes over a connection `ms` later."""
    stamp, _, frame = line.partition(b" ")
    return f"{int(stamp) * 1_000 + round(ms * 1_000_000)} {connection} ".encode() + frame


def rest(ms: float, line: bytes, url: str, status: int = 200) -> bytes:
    """The answer in a line of `frames`."""
    frame = line.partition(b" ")[2]
    return f"{round((T + ms) * 1_000_000)} rest !rest {url} {status} ".encode() + frame


def compressed(lines: Iterable[bytes]) -> bytes:
    """One independent zstd frame."""
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(b"".join(lines))


class Writer:
    """Writes the segments of one shard."""

    def __init__(self, home: Path, exchange: Exchange, shard: str = "a") -> None:
        self._home = home
        self._exchange = exchange
        self._shard = shard
        self._start = (T - 1_000) * 1_000_000
        self.recording: Recording | None = None

    def block(self, *lines: bytes) -> None:
        """Append one block of lines, to a new segment if none is open."""
        if self.recording is None:
            self._start += 1_000_000_000
            self.recording = new_recording(self._home, self._exchange, self._shard, self._start)
        with self.recording.path.open("ab") as file:
            file.write(compressed(lines))

    def seal(self, *, recovered: bool = False) -> Recording:
        """Seal the open segment."""
        assert self.recording is not None
        data = self.recording.path.read_bytes()
        digest = __import__("hashlib").sha256(data).hexdigest()
        sidecar = Sidecar(sha256=digest, size=len(data), first_ns=0, last_ns=0, frames=0, recovered=recovered)
        sealed = seal(self.recording, sidecar)
        self.recording = None
        return sealed
