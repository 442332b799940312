"""What is said of ticks between the process that makes them and those that want them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from aperiodic.market import tick_schema

if TYPE_CHECKING:
    from aperiodic.market import Stream

__all__ = ["FILE", "Announced", "HandedOver", "Message", "decode", "encode", "ticks_of"]

FILE: Final = "ticks.json"
"""File of the installation that tells where ticks are handed over."""


class HandedOver(msgspec.Struct, frozen=True, array_like=True, tag="ticks"):
    """Ticks of one writer's recordings.

    Attributes:
        exchange: Venue.
        shard: Name of the writer.
        run: Of the process that reads the recordings; numbers begin anew with each.
        number: Counts what is handed over, from 1. A number that never comes stands for ticks that only files hold.
        committed: Files hold everything up to this number.
        received: Everything that arrived until then was handed over, µs.
        series: Stream, symbol, and rows with the columns of `tick_schema(stream)`, times in µs.
    """

    exchange: str
    shard: str
    run: str
    number: int
    committed: int
    received: int
    series: list[tuple[str, str, list[Any]]]


class Announced(msgspec.Struct, frozen=True, array_like=True, tag="files"):
    """Files that are about to be committed, and hold nothing but what was handed over.

    Attributes:
        exchange: Venue.
        shard: Name of the writer.
        run: As of `HandedOver`.
        first: Number of the first message whose ticks they hold.
        last: That of the last one.
        fingerprints: Of the files.
        anew: Symbols of which something was handed over that no file will hold.
    """

    exchange: str
    shard: str
    run: str
    first: int
    last: int
    fingerprints: list[str]
    anew: list[str]


def ticks_of(stream: Stream, rows: list[Any]) -> pl.DataFrame:
    """Return rows that were handed over as a frame with the columns of `tick_schema(stream)`."""
    schema = tick_schema(stream)
    times = {place: dtype for place, dtype in enumerate(schema.values()) if isinstance(dtype, pl.Datetime)}
    plain = pl.Schema(
        {name: pl.Int64() if place in times else dtype for place, (name, dtype) in enumerate(schema.items())}
    )
    frame = pl.DataFrame(rows, schema=plain, orient="row")
    for place, dtype in times.items():
        frame.replace_column(place, frame.to_series(place).cast(dtype))
    return frame


Message = HandedOver | Announced

encode: Final = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.Decoder(Message).decode
