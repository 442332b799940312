"""Whether what a checkpoint says of connections, files and places can be taken up again."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

__all__ = ["can_be_taken_up"]

_Numbers = Annotated[list[int | str | None], msgspec.Meta(min_length=4)]


class _Connection(msgspec.Struct):
    opened: int
    last: int
    continued: bool
    streams: dict[str, _Numbers]


class _Connections(msgspec.Struct):
    open: dict[str, _Connection] = {}
    carried: dict[str, _Connection] = {}
    ended: dict[str, str] = {}
    until: dict[str, int] = {}


class _Known(msgspec.Struct):
    connections: _Connections = msgspec.field(default_factory=_Connections)
    overlap: int = 0
    traded: list[str] = []


class _File(msgspec.Struct):
    name: str
    lines: int
    first: int | None
    last: int | None
    ticks: dict[str, int]
    rejected: dict[str, int]
    notes: list[str]


class _State(_Known, kw_only=True):
    file: _File
    began: int = 0
    done: str = ""
    kept_at: int = 0
    kept: list[Annotated[list[Any], msgspec.Meta(min_length=2)]] = []


def can_be_taken_up(state: dict[str, Any]) -> bool:
    """Return whether everything that reading needs is there and of its kind; what is there besides does not matter.

    Args:
        state: What a checkpoint holds, as values of JSON.
    """
    try:
        for place, books, *more in msgspec.convert(state, _State).kept:
            msgspec.convert(place, tuple[str, int])
            msgspec.convert(books, list[str])
            if more:
                msgspec.convert(more[0], _Known)
    except msgspec.ValidationError:
        return False
    return True
