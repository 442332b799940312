"""From lines to a mapper: the same for files that are imported and for segments that are followed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aperiodic.engine.importing.connections import Connections
from aperiodic.engine.importing.lines import read_line
from aperiodic.engine.importing.repeats import Repeats
from aperiodic.engine.importing.stream_names import StreamNames
from aperiodic.lake.blocks import whole_blocks
from aperiodic.venues import RejectedFrameError, sender_of

if TYPE_CHECKING:
    from pathlib import Path

    from aperiodic.engine.importing.lines import Line
    from aperiodic.engine.importing.sink import RecordingSink
    from aperiodic.market.instrument import Instrument
    from aperiodic.venues import Mapper, Venue

__all__ = ["FrameReader"]

_UNREADABLE: Final = frozenset({"malformed", "unknown_channel", "unknown_frame"})


class FrameReader:
    """Reads the lines of one recorder, in the order they were received.

    Attributes:
        mapper: What reads the frames.
        connections: What the recorder tells of its connections.
        repeats: What of it came over two of them.
    """

    def __init__(self, venue: Venue, mapper: Mapper, sink: RecordingSink) -> None:
        self.mapper = mapper
        self.repeats = Repeats()
        self._venue = venue
        self._sink = sink
        self.forget_connections()

    def forget_connections(self) -> None:
        """Begin anew with what the recorder tells of its connections."""
        self.connections = Connections(StreamNames(self._venue.exchange).read, self._sink)

    def read(self, line: Line) -> list[Instrument] | None:
        """Read a line; return what it lists of instruments.

        Raises:
            RejectedFrameError: It makes no tick.
            UnknownContractError: A size of contracts is needed that is not known.
        """
        if self._is_repeated(line):
            self._sink.count("ignored", "repeated_frame")
            return None
        return self._read_frame(line)

    def remember(self, path: Path | None) -> None:
        """Know the frames at the end of the recording before, which another connection may bring again.

        Args:
            path: That recording, in blocks of lines; what cannot be read of it is not known. None: there is none.
        """
        if path is None:
            return
        with suppress(OSError), path.open("rb") as file:
            for _, block in whole_blocks(file):
                stamp = block.partition(b" ")[0]
                is_over = stamp.isdigit() and int(stamp) // 1_000 > self.repeats.until
                if is_over and not self.connections.shares and b" !" not in block:
                    continue
                for text in block.split(b"\n"):
                    with suppress(RejectedFrameError):
                        self._is_repeated(read_line(text))
        self.forget_connections()

    def _is_repeated(self, line: Line) -> bool:
        if not line.connection or line.local is None:
            return False
        if line.told:
            self.connections.tell(line.connection, line.local, line.told, line.frame)
            return False
        if not line.frame or line.url:
            return False
        self.connections.see(line.connection, line.local)
        if self.connections.shares:
            self.repeats.overlap(line.local)
        return self.repeats.is_repeated(line.connection, line.local, line.frame)

    def _read_frame(self, line: Line) -> list[Instrument] | None:
        if line.ignored:
            self._sink.count("ignored", line.ignored)
            return None
        venue = self._venue
        frame = venue.response_frame(line.url, line.frame) if line.url else line.frame
        if frame is None:
            self._sink.count("ignored", "rest_answer")
            return venue.listed(line.frame)
        if line.local is not None:
            try:
                self.mapper.read(line.local, frame)
            except RejectedFrameError as refusal:
                sender = sender_of(frame, venue) if refusal.code in _UNREADABLE else None
                if sender is None:
                    raise
                raise RejectedFrameError("other_venue", f"the frame has the form of {sender.label}") from None
            return venue.listed(frame) if line.url else None
        if venue.instruments(frame) is None:
            raise RejectedFrameError("malformed", "the line does not begin with a receive time and a space")
        self._sink.count("ignored", "instruments")
        return venue.listed(frame)
