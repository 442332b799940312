"""The truth log: what was really sent, withheld, opened, closed and answered, one JSON object a line.

| `what` | further keys |
|---|---|
| `sent` | `connection`, `stream`, `symbol`, `number`, `time` (exchange time, ms), `note` (`duplicate`, `backlog`, …) |
| `withheld` | the same; `why`: the kind of fault |
| `missed` | the same; `why`: nobody was subscribed to a stream that somebody had subscribed to before, the connection was about to close, or its class of host does not send the stream. Lost is what no line tells as sent |
| `junk` | `connection`, `kind`: a frame that means nothing, sent on purpose |
| `open`, `close` | `connection`, `url`; `code`, `by` (`client`, `venue`) |
| `subscribe`, `unsubscribe` | `connection`, `streams` |
| `snapshot` | `connection`, `symbol`, `number`: the book that a subscription to it began with (OKX) |
| `refused` | `url`, `status`: a connection that was not taken |
| `rest` | `url`, `status`, `weight`, `used` (weight of this minute), `number` (of a snapshot), `why`: it was `refused`, a page of `html` instead, or an `old_snapshot` |
| `begin`, `end` | the source's first and last message |
| `fault` | the fault as in the script |

Every line also has `ns`, when it happened, and `exchange`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO, Self

    from aperiodic.mock.messages import Message

__all__ = ["Truth"]


class Truth:
    """Writes the log; without a path it remembers the lines instead, where it is told to, or does nothing."""

    def __init__(self, path: Path | None = None, *, remember: bool = False) -> None:
        self._file: BinaryIO | None = None if path is None else path.open("wb", buffering=1 << 16)
        self._lines: list[bytes] | None = [] if remember else None
        self.active = path is not None or remember

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What was remembered."""
        return [msgspec.json.decode(line) for line in self._lines or ()]

    def message(self, what: str, exchange: str, message: Message, connection: str = "", more: str = "") -> None:
        """Log a frame; `more` is a further key: a note, or why it was withheld."""
        if not self.active:
            return
        number = "null" if message.number is None else message.number
        # Written by hand: this is done for every frame.
        where = f',"connection":"{connection}"' if connection else ""
        note = f',"{"note" if what == "sent" else "why"}":"{more}"' if more else ""
        self._write(
            f'{{"what":"{what}","ns":{time.time_ns()},"exchange":"{exchange}"{where},"stream":"{message.stream}",'
            f'"symbol":"{message.native}","number":{number},"time":{message.time}{note}}}\n'.encode()
        )

    def event(self, what: str, exchange: str, **keys: object) -> None:
        """Log anything else."""
        if self.active:
            line = {"what": what, "ns": time.time_ns(), "exchange": str(exchange), **keys}
            self._write(msgspec.json.encode(line) + b"\n")

    def flush(self) -> None:
        """Hand what is written over to the system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Write everything out."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self.active = self._lines is not None

    def _write(self, line: bytes) -> None:
        if self._file is not None:
            self._file.write(line)
        elif self._lines is not None:
            self._lines.append(line)
