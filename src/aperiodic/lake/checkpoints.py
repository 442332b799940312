"""How far recordings have been read into ticks, so that reading goes on from there after any end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, insert, select

from aperiodic.lake.schema import checkpoints

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Checkpoint", "read_checkpoints", "write_checkpoint"]


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
        state: What is known of connections and of books, as the reader wrote it.
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
    query = select(checkpoints)
    if exchange is not None:
        query = query.where(checkpoints.c.exchange == exchange)
    found = (Checkpoint(**{name: row[name] for name in _NAMES}) for row in connection.execute(query).mappings())
    return {(item.exchange, item.shard): item for item in found}


def write_checkpoint(connection: Connection, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in the place of the one before."""
    connection.execute(
        delete(checkpoints).where(
            checkpoints.c.exchange == checkpoint.exchange, checkpoints.c.shard == checkpoint.shard
        )
    )
    connection.execute(insert(checkpoints).values(**{name: getattr(checkpoint, name) for name in _NAMES}))
