"""Which bytes of a Parquet file hold some columns of some rows, and a file made of these alone.

Source of the layout: Apache Parquet, `parquet.thrift` and "File format".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from aperiodic.client.thrift import Field, Items, Struct, ThriftError, read_struct, write_struct

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["TAIL", "Footer", "Part", "footer_bytes"]

TAIL: Final = 8
"""Bytes at the end of a file: the length of its footer, and four letters."""

_MAGIC: Final = b"PAR1"
_I64: Final = 6

# FileMetaData
_SCHEMA: Final = 2
_ROWS: Final = 3
_ROW_GROUPS: Final = 4
_KEY_VALUES: Final = 5
_COLUMN_ORDERS: Final = 7
# SchemaElement
_NAME: Final = 4
_CHILDREN: Final = 5
# RowGroup
_CHUNKS: Final = 1
_GROUP_BYTES: Final = 2
_GROUP_ROWS: Final = 3
_SORTING: Final = 4
_GROUP_OFFSET: Final = 5
_GROUP_COMPRESSED: Final = 6
# ColumnChunk
_CHUNK_FILE: Final = 1
_CHUNK_OFFSET: Final = 2
_CHUNK_DATA: Final = 3
_ELSEWHERE: Final = (4, 5, 6, 7, 8, 9)
"""Indexes of offsets and columns, and what is encrypted: they lie outside the column's bytes."""
# ColumnMetaData
_PATH: Final = 3
_UNCOMPRESSED: Final = 6
_COMPRESSED: Final = 7
_DATA_PAGE: Final = 9
_INDEX_PAGE: Final = 10
_DICTIONARY_PAGE: Final = 11
_STATISTICS: Final = 12
_BLOOM: Final = (14, 15)
# Statistics
_MOST: Final = 5
_LEAST: Final = 6
_EIGHT: Final = 8


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of one column in one group of rows.

    Attributes:
        begin: Place of the first one in the file.
        size: How many there are.
    """

    begin: int
    size: int

    @property
    def end(self) -> int:
        """Place after the last one."""
        return self.begin + self.size


class Footer:
    """What the footer of a file of flat columns says."""

    def __init__(self, fields: Struct) -> None:
        self._fields = fields
        schema: list[Struct] = fields[_SCHEMA].value.values
        self._groups: list[Struct] = fields[_ROW_GROUPS].value.values
        self.columns = [element[_NAME].value.decode() for element in schema[1:]]
        """Names of the columns, in the order of the file."""
        if any(_CHILDREN in element for element in schema[1:]):
            raise ThriftError("A column is nested.")
        if any(len(group[_CHUNKS].value.values) != len(self.columns) for group in self._groups):
            raise ThriftError("A group of rows lacks columns.")

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read the bytes before the tail.

        Raises:
            ThriftError: They are no footer, or one of a file with nested columns.
        """
        try:
            return cls(read_struct(data))
        except (KeyError, AttributeError, TypeError, UnicodeDecodeError) as error:
            raise ThriftError("It is not the footer of a Parquet file.") from error

    def groups(self, column: str, first: int, last: int) -> list[int]:
        """Return which groups of rows can hold values of a column between two, which are among them.

        Args:
            column: A column of 64-bit integers, times for example.
            first: The least value that matters.
            last: The greatest one.
        """
        if column not in self.columns:
            return list(range(len(self._groups)))
        place = self.columns.index(column)
        return [number for number, group in enumerate(self._groups) if _may_hold(_column(group, place), first, last)]

    def parts(self, columns: Collection[str], groups: Sequence[int]) -> list[Part]:
        """Return where the columns lie in some groups of rows, in the order of `keep`.

        Raises:
            ThriftError: A place cannot be.
        """
        try:
            return [_part(_column(self._groups[number], place)) for number in groups for place in self._places(columns)]
        except (KeyError, AttributeError, TypeError, IndexError) as error:
            raise ThriftError("A column has no place.") from error

    def keep(self, columns: Collection[str], groups: Sequence[int], read: Callable[[Part], bytes]) -> bytes:
        """Return a file of these columns in these groups of rows.

        Args:
            columns: Names of columns.
            groups: Numbers of groups of rows.
            read: Returns the bytes of a part.
        """
        places = self._places(columns)
        body = bytearray(_MAGIC)
        kept: list[Struct] = []
        rows = 0
        for number in groups:
            group = dict(self._groups[number])
            begin, chunks = len(body), []
            for place in places:
                part = _part(_column(group, place))
                chunks.append(_moved(group[_CHUNKS].value.values[place], len(body) - part.begin))
                body += read(part)
            size = sum(_column_of(chunk)[_UNCOMPRESSED].value for chunk in chunks)
            group[_CHUNKS] = Field(group[_CHUNKS].kind, Items(group[_CHUNKS].value.kind, chunks))
            group[_GROUP_BYTES] = Field(_I64, size)
            group[_GROUP_OFFSET] = Field(_I64, begin)
            group[_GROUP_COMPRESSED] = Field(_I64, len(body) - begin)
            group.pop(_SORTING, None)
            kept.append(group)
            rows += group[_GROUP_ROWS].value
        footer = write_struct(self._kept(places, kept, rows))
        return bytes(body + footer + len(footer).to_bytes(4, "little") + _MAGIC)

    def _kept(self, places: Sequence[int], groups: list[Struct], rows: int) -> Struct:
        schema = self._fields[_SCHEMA].value
        root = dict(schema.values[0])
        root[_CHILDREN] = Field(root[_CHILDREN].kind, len(places))
        fields = dict(self._fields)
        fields[_SCHEMA] = Field(
            fields[_SCHEMA].kind, Items(schema.kind, [root, *(schema.values[1 + place] for place in places)])
        )
        fields[_ROWS] = Field(_I64, rows)
        fields[_ROW_GROUPS] = Field(fields[_ROW_GROUPS].kind, Items(fields[_ROW_GROUPS].value.kind, groups))
        fields.pop(_KEY_VALUES, None)  # other descriptions of the columns, which do not hold any more
        if _COLUMN_ORDERS in fields:
            orders = fields[_COLUMN_ORDERS].value
            fields[_COLUMN_ORDERS] = Field(
                fields[_COLUMN_ORDERS].kind, Items(orders.kind, [orders.values[place] for place in places])
            )
        return fields

    def _places(self, columns: Collection[str]) -> list[int]:
        return [place for place, name in enumerate(self.columns) if name in columns]


def footer_bytes(tail: bytes) -> int:
    """Return how long the footer is, from the last eight bytes of a file.

    Raises:
        ThriftError: It is not a Parquet file.
    """
    if len(tail) != TAIL or tail[-4:] != _MAGIC:
        raise ThriftError("It is not a Parquet file.")
    return int.from_bytes(tail[:4], "little")


def _column(group: Struct, place: int) -> Struct:
    return _column_of(group[_CHUNKS].value.values[place])


def _column_of(chunk: Struct) -> Struct:
    if _CHUNK_FILE in chunk or _CHUNK_DATA not in chunk:
        raise ThriftError("A column lies in another file.")
    column: Struct = chunk[_CHUNK_DATA].value
    return column


def _part(column: Struct) -> Part:
    begin = column[_DATA_PAGE].value
    if _DICTIONARY_PAGE in column:
        begin = min(begin, column[_DICTIONARY_PAGE].value)
    size = column[_COMPRESSED].value
    if begin < len(_MAGIC) or size < 0:
        raise ThriftError("A column lies nowhere.")
    return Part(begin, size)


def _moved(chunk: Struct, by: int) -> Struct:
    """Return a column chunk whose bytes lie elsewhere."""
    column = {number: field for number, field in _column_of(chunk).items() if number not in _BLOOM}
    for number in (_DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE):
        if number in column:
            column[number] = Field(_I64, column[number].value + by)
    moved = {number: field for number, field in chunk.items() if number not in _ELSEWHERE}
    moved[_CHUNK_OFFSET] = Field(_I64, 0)
    moved[_CHUNK_DATA] = Field(chunk[_CHUNK_DATA].kind, column)
    return moved


def _may_hold(column: Struct, first: int, last: int) -> bool:
    statistics: Struct = column[_STATISTICS].value if _STATISTICS in column else {}
    bounds = [statistics[number].value for number in (_LEAST, _MOST) if number in statistics]
    if len(bounds) != 2 or any(len(bound) != _EIGHT for bound in bounds):  # noqa: PLR2004 - the least and the most
        return True
    least, most = (int.from_bytes(bound, "little", signed=True) for bound in bounds)
    return least <= last and most >= first
