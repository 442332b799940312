"""Thrift's compact encoding, as far as the footers of Parquet files use it: read, change, write again.

A structure is a dictionary from field numbers to fields; what this version does not know is written again as it was.
Source: Apache Thrift, "Thrift compact protocol".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Field", "Items", "Struct", "ThriftError", "read_struct", "write_struct"]

_STOP: Final = 0
_TRUE: Final = 1
_FALSE: Final = 2
_BYTE: Final = 3
_INTEGERS: Final = frozenset({4, 5, 6})
_DOUBLE: Final = 7
_BINARY: Final = 8
_LIST: Final = 9
_SET: Final = 10
_STRUCT: Final = 12

_SHORT_LIST: Final = 15
_LONG_FORM: Final = 0xF0
_DEEPEST: Final = 32
_MOST_BITS: Final = 70


class ThriftError(ValueError):
    """The bytes are not a structure in this encoding."""


@dataclass(slots=True)
class Field:
    """One field of a structure.

    Attributes:
        kind: Its type in the encoding.
        value: A number, a truth value, bytes, `Items` or a `Struct`.
    """

    kind: int
    value: Any


@dataclass(slots=True)
class Items:
    """A list or a set.

    Attributes:
        kind: Type of the items in the encoding.
        values: The items.
    """

    kind: int
    values: list[Any]


Struct = dict[int, Field]
"""Fields by number, ascending."""


def read_struct(data: bytes) -> Struct:
    """Read one structure from the beginning of some bytes.

    Raises:
        ThriftError: The bytes are something else, or use what Parquet does not.
    """
    try:
        return _Reader(data).struct(0)
    except (IndexError, struct.error) as error:
        raise ThriftError("The structure is cut short.") from error


def write_struct(fields: Struct) -> bytes:
    """Write a structure, as `read_struct` reads it."""
    written = bytearray()
    _write_struct(written, fields)
    return bytes(written)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self, depth: int) -> Struct:
        if depth > _DEEPEST:
            raise ThriftError("The structure is nested too deeply.")
        fields: Struct = {}
        number = 0
        while (head := self._byte()) != _STOP:
            kind = head & 0x0F
            number = number + (head >> 4) if head >> 4 else self._signed()
            fields[number] = Field(kind, self._value(kind, depth, inside=False))
        return fields

    def _value(self, kind: int, depth: int, *, inside: bool) -> Any:  # noqa: ANN401 - of whatever kind
        if kind in {_TRUE, _FALSE}:
            return (self._byte() if inside else kind) == _TRUE
        if kind in {_LIST, _SET}:
            return self._items(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        return self._plain(kind)

    def _plain(self, kind: int) -> int | float | bytes:
        if kind == _BYTE:
            return self._byte()
        if kind in _INTEGERS:
            return self._signed()
        if kind == _DOUBLE:
            value: float = struct.unpack("<d", self._bytes(8))[0]
            return value
        if kind == _BINARY:
            return self._bytes(self._unsigned())
        raise ThriftError(f"A field has the type {kind}.")

    def _items(self, depth: int) -> Items:
        head = self._byte()
        count = head >> 4 if head >> 4 != _SHORT_LIST else self._unsigned()
        kind = head & 0x0F
        if count > len(self._data) - self._at:
            raise ThriftError("A list is longer than what is left.")
        return Items(kind, [self._value(kind, depth + 1, inside=True) for _ in range(count)])

    def _byte(self) -> int:
        value = self._data[self._at]
        self._at += 1
        return value

    def _bytes(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise ThriftError("A text is longer than what is left.")
        value = self._data[self._at : self._at + count]
        self._at += count
        return value

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the last one has no mark
                return value
            shift += 7
            if shift > _MOST_BITS:
                raise ThriftError("A number is too long.")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)


def _write_struct(written: bytearray, fields: Struct) -> None:
    last = 0
    for number in sorted(fields):
        field = fields[number]
        kind = field.kind
        if kind in {_TRUE, _FALSE}:
            kind = _TRUE if field.value else _FALSE
        step = number - last
        if 0 < step < _SHORT_LIST + 1:
            written.append(step << 4 | kind)
        else:
            written.append(kind)
            _write_signed(written, number)
        if kind not in {_TRUE, _FALSE}:
            _write_value(written, kind, field.value)
        last = number
    written.append(_STOP)


def _write_value(written: bytearray, kind: int, value: Any) -> None:  # noqa: ANN401 - of whatever kind
    if kind in {_TRUE, _FALSE}:
        written.append(_TRUE if value else _FALSE)
    elif kind == _BYTE:
        written.append(value)
    elif kind in _INTEGERS:
        _write_signed(written, value)
    elif kind == _DOUBLE:
        written += struct.pack("<d", value)
    elif kind == _BINARY:
        _write_unsigned(written, len(value))
        written += value
    elif kind in {_LIST, _SET}:
        count = len(value.values)
        if count < _SHORT_LIST:
            written.append(count << 4 | value.kind)
        else:
            written.append(_LONG_FORM | value.kind)
            _write_unsigned(written, count)
        for item in value.values:
            _write_value(written, value.kind, item)
    else:
        _write_struct(written, value)


def _write_unsigned(written: bytearray, value: int) -> None:
    while value >= 0x80:  # noqa: PLR2004 - as above
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)


def _write_signed(written: bytearray, value: int) -> None:
    _write_unsigned(written, value << 1 if value >= 0 else (-value << 1) - 1)
