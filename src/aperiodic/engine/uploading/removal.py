"""Which recordings nothing needs on the disk any more, and taking them off it."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from aperiodic.lake.checkpoints import read_checkpoints
from aperiodic.lake.imports import is_imported
from aperiodic.lake.recordings import list_sidecars, order_of, read_sidecar
from aperiodic.market import DAY_US, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from aperiodic.lake import Lake
    from aperiodic.lake.checkpoints import Checkpoint
    from aperiodic.lake.recordings import Recording

__all__ = ["passed", "remove", "remove_left"]

_LEVELS: Final = 2


def passed(lake: Lake, recordings: Sequence[Recording], days: int, now: int) -> list[Recording]:
    """Return the recordings whose ticks are committed, and that have been here for a while.

    Those from which reading begins again after any end are not among them, nor is the last one before those: who imports
    the one after it looks into it for what came twice (`lake.recordings.recording_before`).

    Args:
        lake: The installation.
        recordings: Sealed recordings.
        days: So long they must have been here since they were sealed or fetched, days.
        now: The time, µs.
    """
    writers: defaultdict[tuple[str, str], list[Recording]] = defaultdict(list)
    for recording in recordings:
        writers[recording.exchange, recording.writer].append(recording)
    found = []
    with lake.engine.connect() as connection:
        for key, checkpoint in read_checkpoints(connection).items():
            begins = _begins(checkpoint)
            # Of two that follow each other the first is not the last before the place where reading begins again.
            found += [
                recording
                for recording, following in pairwise(sorted(writers[key]))
                if following.start_ns < begins and _is_old(recording, days, now) and _has_ticks(connection, recording)
            ]
    return found


def remove(recording: Recording) -> int:
    """Remove a recording from the disk, then its sidecar, and the folders that are empty then; return its bytes.

    Raises:
        OSError: The system refused.
    """
    size = recording.path.stat().st_size
    recording.path.unlink()
    _remove_sidecar(recording)
    return size


def remove_left(lake: Lake) -> None:
    """Remove the sidecars of recordings whose removal broke off.

    Raises:
        OSError: The system refused.
    """
    with lake.engine.connect() as connection:
        begins = {key: _begins(checkpoint) for key, checkpoint in read_checkpoints(connection).items()}
    for recording in list_sidecars(lake.home):
        if recording.start_ns < begins.get((recording.exchange, recording.writer), 0):
            _remove_sidecar(recording)


def _remove_sidecar(recording: Recording) -> None:
    recording.sidecar_path.unlink(missing_ok=True)
    with suppress(OSError):  # something is in it
        for folder in list(recording.path.parents)[:_LEVELS]:
            folder.rmdir()


def _begins(checkpoint: Checkpoint) -> int:
    """Return when the recording was begun from which reading begins again, ns; 0 for the first."""
    return min((order_of(name) for name in (checkpoint.warm_segment, checkpoint.segment) if name), default=0)


def _is_old(recording: Recording, days: int, now: int) -> bool:
    try:
        # A sidecar is written when a recording is sealed, or fetched.
        return now - recording.sidecar_path.stat().st_mtime_ns // 1_000 >= days * DAY_US
    except OSError:
        return False


def _has_ticks(connection: Connection, recording: Recording) -> bool:
    sidecar = read_sidecar(recording)
    return sidecar is not None and is_imported(connection, Source.RECORDING, recording.exchange, sidecar.sha256)
