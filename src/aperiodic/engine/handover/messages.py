"""What is said of ticks between the process that makes them and those that want them at once."""

from __future__ import annotations

from typing import Any, Final

import msgspec

__all__ = ["FILE", "Announced", "HandedOver", "Message", "decode", "encode"]

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
        series: Stream, symbol and rows; see `packed_rows`.
    """

    exchange: str
    shard: str
    run: str
    number: int
    committed: int
    received: int
    series: list[tuple[str, str, list[Any] | bytes]]


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


Message = HandedOver | Announced

encode: Final = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.Decoder(Message).decode
