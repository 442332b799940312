"""REST responses in files of their own: what they say is needed to read the recordings beside them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aperiodic.engine.importing.files import Lines
from aperiodic.engine.importing.lines import read_line
from aperiodic.venues import Instruments, RejectedFrameError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.engine.importing.files import SourceFile
    from aperiodic.engine.importing.refusals import Refusals
    from aperiodic.venues import Venue

__all__ = ["Responses", "read_responses"]

_MAX_SNAPSHOTS: Final = 1_000
_PROBED_LINES: Final = 10


@dataclass(frozen=True, slots=True)
class Responses:
    """What the files of one command say to each other.

    Attributes:
        instruments: What the venue says of its instruments.
        snapshots: Order books, as frames that mappers read, each after its receive time (µs); ascending.
    """

    instruments: Instruments = field(default_factory=Instruments)
    snapshots: list[tuple[int, bytes]] = field(default_factory=list)

    def with_known(self, known: Instruments) -> Responses:
        """Return these with what is known of instruments besides; what files say comes first."""
        known.update(self.instruments)
        return Responses(known, self.snapshots)


def read_responses(venue: Venue, files: Sequence[SourceFile], refusals: Refusals) -> Responses:
    """Read all files that hold REST responses."""
    responses = Responses()
    for file in files:
        with refusals.of(file.path):
            if _holds_responses(file):
                for _, batch in Lines(file):
                    for line in batch:
                        with suppress(RejectedFrameError):
                            _take(venue, line, responses)
    responses.snapshots.sort()
    return responses


def _holds_responses(file: SourceFile) -> bool:
    """Whether a file begins with a REST response: recordings are not read for them."""
    for _, batch in Lines(file):
        for line in batch[:_PROBED_LINES]:
            with suppress(RejectedFrameError):
                read = read_line(line)
                if read.frame:
                    return bool(read.url) or read.local is None
        break
    return False


def _take(venue: Venue, line: bytes, responses: Responses) -> None:
    read = read_line(line)
    frame = venue.response_frame(read.url, read.frame) if read.url else read.frame
    if not frame:
        return
    told = venue.instruments(frame)
    if told is not None:
        responses.instruments.update(told)
    elif venue.answers_book(read.url) and read.local is not None and len(responses.snapshots) < _MAX_SNAPSHOTS:
        responses.snapshots.append((read.local, frame))
