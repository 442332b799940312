"""Columns of frames as kernels take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import polars as pl
    from numpy.typing import NDArray

__all__ = ["frozen", "in_blocks", "pieces"]

_ROWS_AT_ONCE: Final = 1 << 17
"""As many as a tick file keeps together, which are read where they lie."""

_BLOCK: Final = 1 << 12

Scalar = TypeVar("Scalar", bound="np.generic[Any]")


def frozen(column: NDArray[Scalar]) -> NDArray[Scalar]:
    """Make an input read-only, as some of Polars' arrays are anyway: kernels then compile for one type only."""
    view = column.view()
    view.flags.writeable = False
    return view


def in_blocks(rows: int, columns_of: Callable[[slice], Mapping[str, NDArray[Any]]]) -> Mapping[str, NDArray[Any]]:
    """Return columns of records, made of so few of them at a time that they stay in the processor's cache meanwhile.

    Args:
        rows: How many records there are.
        columns_of: Returns columns of some of them, row by row.
    """
    if rows <= _BLOCK:
        return columns_of(slice(rows))
    blocks = [columns_of(slice(row, row + _BLOCK)) for row in range(0, rows, _BLOCK)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def pieces(events: pl.DataFrame, begin: int, end: int) -> Iterator[pl.DataFrame]:
    """Yield the events from a position to before another in pieces that lie together in memory, none of them long."""
    ends = np.cumsum(events[:, 0].chunk_lengths())
    while begin < end:
        lying = int(ends[np.searchsorted(ends, begin, side="right")])
        past = min(lying, begin + _ROWS_AT_ONCE, end)
        yield events.slice(begin, past - begin)
        begin = past
