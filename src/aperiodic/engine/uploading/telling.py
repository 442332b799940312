"""What uploading tells of itself: a file of JSON for each venue, and the same numbers for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from aperiodic.lake.durability import replace_whole

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Failure", "Told", "read_told", "tell"]

_FOLDER: Final = "uploads"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why something could not be done.

    Attributes:
        time: When, seconds since 1970.
        recording: Which recording it was about; empty for all.
        code: Code of the error.
        message: What happened.
        hint: What to do.
    """

    time: float
    recording: str
    code: str
    message: str
    hint: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """How far the recordings of a venue on this disk are.

    Attributes:
        exchange: Venue.
        time: When this was told, seconds since 1970.
        waiting: Sealed recordings that are not in the store.
        waiting_bytes: Bytes of them.
        oldest: When the oldest of them was begun, seconds since 1970; None where none waits.
        failing: Those of them that could not be put into the store at the last try.
        uploaded: Recordings put into the store since the start of the program.
        uploaded_bytes: Bytes of them.
        removed: Recordings removed from this disk since the start of the program.
        removed_bytes: Bytes of them.
        failures: How often something failed since the start of the program.
        last_failure: What failed last; None while nothing has.
    """

    exchange: str
    time: float
    waiting: int
    waiting_bytes: int
    oldest: float | None
    failing: int
    uploaded: int
    uploaded_bytes: int
    removed: int
    removed_bytes: int
    failures: int
    last_failure: Failure | None


_GAUGES: Final = {
    "waiting": "recordings_waiting|Sealed recordings that are not in the store.",
    "waiting_bytes": "recordings_waiting_bytes|Bytes of them.",
    "oldest": "recordings_oldest_begun_seconds|When the oldest of them was begun, seconds since 1970; not there where none waits.",
    "failing": "recordings_failing|Those that could not be put into the store at the last try.",
    "time": "recordings_told_seconds|When this was told, seconds since 1970.",
}
_COUNTERS: Final = {
    "uploaded": "recordings_uploaded_total|Recordings put into the store.",
    "uploaded_bytes": "recordings_uploaded_bytes_total|Bytes of them.",
    "removed": "recordings_removed_total|Recordings removed from the disk, as the store holds them.",
    "removed_bytes": "recordings_removed_bytes_total|Bytes of them.",
    "failures": "recordings_failures_total|How often something failed.",
}
_DECODER: Final = msgspec.json.Decoder(Told)


def tell(home: Path, told: Told) -> None:
    """Write it into the home of an installation.

    Raises:
        OSError: The system refused.
    """
    path = home / _FOLDER / f"{told.exchange}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_whole(path, msgspec.json.format(msgspec.json.encode(told)) + b"\n")
    replace_whole(path.with_suffix(".prom"), _metrics(told).encode())


def read_told(home: Path) -> list[Told]:
    """Return what was told last of each venue; what cannot be read is left out."""
    found = []
    for path in sorted((home / _FOLDER).glob("*.json")):
        try:
            found.append(_DECODER.decode(path.read_bytes()))
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            continue
    return found


def _metrics(told: Told) -> str:
    lines = []
    for kind, names in (("gauge", _GAUGES), ("counter", _COUNTERS)):
        for field, line in names.items():
            if (value := getattr(told, field)) is None:
                continue
            name, _, words = line.partition("|")
            lines += [f"# HELP aperiodic_{name} {words}", f"# TYPE aperiodic_{name} {kind}"]
            lines.append(f'aperiodic_{name}{{exchange="{told.exchange}"}} {value}')
    return "\n".join(lines) + "\n"
