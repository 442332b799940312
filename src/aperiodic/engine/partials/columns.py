"""Columns of frames as kernels take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from numpy.typing import NDArray

__all__ = ["frozen", "pieces"]

_ROWS_AT_ONCE: Final = 1 << 17
"""As many as a tick file keeps together, which are read where they lie."""

Scalar = TypeVar("Scalar", bound="np.generic[Any]")


def frozen(column: NDArray[Scalar]) -> NDArray[Scalar]:
    """Make an input read-only, as some of Polars' arrays are anyway: kernels then compile for one type only."""
    view = column.view()
    view.flags.writeable = False
    return view


def pieces(events: pl.DataFrame, begin: int, end: int) -> Iterator[pl.DataFrame]:
    """Yield the events from a position to before another in pieces that lie together in memory, none of them long."""
    ends = np.cumsum(events[:, 0].chunk_lengths())
    while begin < end:
        lying = int(ends[np.searchsorted(ends, begin, side="right")])
        past = min(lying, begin + _ROWS_AT_ONCE, end)
        yield events.slice(begin, past - begin)
        begin = past
