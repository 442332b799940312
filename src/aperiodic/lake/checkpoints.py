"""How far recordings have been read into ticks, so that reading goes on from there after any end."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, cast, delete, insert, select

from aperiodic.lake.errors import LakeError
from aperiodic.lake.schema import checkpoints

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["FORMAT", "Checkpoint", "check_checkpoint", "read_checkpoints", "write_checkpoint"]

FORMAT: Final = 1
"""What `state` is written in. Further fields are added without another number: who does not know them passes them by."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far the recordings of one writer have been read.

    Attributes:
        exchange: Venue.
        shard: Host and part of the venue, as in the names of recordings.
        segment: Name of the recording at work.
        offset: Bytes of it that have become ticks.
        warm_segment: Name of the recording from which on to read again to know what came before, without making ticks.
        warm_offset: Where in it.
        last_received: Arrival of the last line, µs; 0 before the first.
        state: What is known of connections and of books, as the reader wrote it; empty where it cannot be read.
        updated_at: When this was written, µs.
    """

    exchange: str
    shard: str
    segment: str
    offset: int
    warm_segment: str
    warm_offset: int
    last_received: int
    state: dict[str, Any]
    updated_at: int


_NAMES: Final = tuple(Checkpoint.__slots__)


def read_checkpoints(connection: Connection, exchange: str | None = None) -> dict[tuple[str, str], Checkpoint]:
    """Return all checkpoints, or those of one exchange, by exchange and shard."""
    query = select(*(checkpoints.c[name] for name in _NAMES if name != "state"), cast(checkpoints.c.state, Text))
    if exchange is not None:
        query = query.where(checkpoints.c.exchange == exchange)
    found = (
        Checkpoint(**{name: row[name] for name in _NAMES if name != "state"}, state=_read_state(row["state"]))
        for row in connection.execute(query).mappings()
    )
    return {(item.exchange, item.shard): item for item in found}


def write_checkpoint(connection: Connection, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in the place of the one before."""
    connection.execute(
        delete(checkpoints).where(
            checkpoints.c.exchange == checkpoint.exchange, checkpoints.c.shard == checkpoint.shard
        )
    )
    values = {name: getattr(checkpoint, name) for name in _NAMES}
    connection.execute(insert(checkpoints).values(**{**values, "state": {"format": FORMAT, **checkpoint.state}}))


def check_checkpoint(checkpoint: Checkpoint) -> None:
    """Make sure that reading can go on from a checkpoint.

    Raises:
        LakeError: `checkpoint_newer` when a newer version wrote it, `checkpoint_damaged` when it names no place.
    """
    written = checkpoint.state.get("format", FORMAT)
    if isinstance(written, int) and written > FORMAT:
        raise LakeError(
            f"How far the recordings of {checkpoint.exchange} {checkpoint.shard} have been read was written by a newer "
            "version of aperiodic.",
            code="checkpoint_newer",
            hint="Run the version that wrote it, or a newer one.",
        )
    places = ((checkpoint.segment, checkpoint.offset), (checkpoint.warm_segment, checkpoint.warm_offset))
    if not all(_is_place(*place) for place in places) or not isinstance(checkpoint.last_received, int):
        raise LakeError(
            f"How far the recordings of {checkpoint.exchange} {checkpoint.shard} have been read is damaged in the ledger.",
            code="checkpoint_damaged",
            hint="Restore the ledger from a backup: aperiodic ledger restore --help",
        )


def _is_place(segment: object, offset: object) -> bool:
    is_name = isinstance(segment, str) and re.fullmatch(r"(.+-\d{1,20}\.zst)?", segment) is not None
    return is_name and isinstance(offset, int) and offset >= 0


def _read_state(text: str | None) -> dict[str, Any]:
    try:
        state = json.loads(text or "")
    except ValueError:
        return {}
    return state if isinstance(state, dict) else {}
