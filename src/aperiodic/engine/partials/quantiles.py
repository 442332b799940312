"""Exact quantiles of every bar of every interval of a day.

Bars are slices of the day's values, and quantiles do not merge. Short bars are searched one by one. For the longer
ones the day is brought, once, into an order in which they are cheap: values are put into 256 buckets by size, about
equally many in each, and keep the order of time within a bucket. A bar then is one short slice of every bucket, the
lengths of the slices say which bucket holds a rank, and only that slice is searched.

The work is done on keys: unsigned integers that sort as the values do. They are the values' bit patterns, with some
bits flipped where there are negative ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from aperiodic.engine.partials.threads import at_once
from aperiodic.jit import kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["bar_quantiles", "quantile_calls"]

_BUCKETS: Final = 256
_CELLS: Final = 1 << 16
_SAMPLE: Final = 1 << 18
_BINS: Final = 64
_FEW: Final = 8
_HUNDREDTHS: Final = 100
_SIGN: Final = np.uint64(1 << 63)


class _Buckets(NamedTuple):
    """A day's values by size.

    Attributes:
        keys: Keys by bucket, within a bucket in order of time.
        begins: Where each bar's values begin in each bucket; a last row for the end of the last bar.
    """

    keys: NDArray[np.uint64]
    begins: NDArray[np.uint32]


def bar_quantiles(
    values: NDArray[np.float64], ends: Sequence[NDArray[np.int64]], percents: Sequence[int]
) -> list[NDArray[np.float64]]:
    """Return quantiles of bars, linearly interpolated between neighbouring ranks, one row a bar.

    Args:
        values: Of the day in order of time, without NaN.
        ends: For each interval, shortest first, where its bars end in `values`; none is empty. Bars of the third interval
            on consist of whole bars of the second.
        percents: Which quantiles: 50 for the median.
    """
    found = at_once(quantile_calls(values, ends, percents), values.size)
    return [*found[0], *found[1]]


def quantile_calls(
    values: NDArray[np.float64], ends: Sequence[NDArray[np.int64]], percents: Sequence[int]
) -> tuple[Callable[[], list[NDArray[np.float64]]], Callable[[], list[NDArray[np.float64]]]]:
    """Return what finds the quantiles of the first interval, and what finds those of the others; see `bar_quantiles`."""
    wanted = np.array(percents)
    bits = values.view(np.uint64)
    # The bit patterns of numbers that are not negative sort as they are.
    plain = not bits.size or bool(bits.max() < _SIGN)
    # NumPy's own memory comes in large pages, of which the first touch costs a fraction.
    keys = bits if plain else _flip(bits, np.empty_like(bits))

    def short() -> list[NDArray[np.float64]]:
        return [_interpolate(_values(_of_slices(keys, ends[0], wanted), plain=plain), ends[0], wanted)]

    def long() -> list[NDArray[np.float64]]:
        if len(ends) == 1:
            return []
        if not values.size:
            return short() * (len(ends) - 1)
        buckets = _fill(keys, ends[1], np.empty(keys.size, np.uint64))
        return [
            _interpolate(_values(_of_buckets(buckets, ends[1], longer, wanted), plain=plain), longer, wanted)
            for longer in ends[1:]
        ]

    return short, long


@kernel
def _of_slices(keys: NDArray[np.uint64], ends: NDArray[np.int64], percents: NDArray[np.int64]) -> NDArray[np.uint64]:
    found = np.empty((ends.size, percents.size, 2), np.uint64)
    spare = np.empty(_longest(ends), np.uint64)
    counts = np.empty(_BINS, np.int64)
    begin = 0
    for row in range(ends.size):
        for k in range(percents.size):
            rank = (ends[row] - begin - 1) * percents[k] // _HUNDREDTHS
            found[row, k, 0], found[row, k, 1] = _neighbours(keys[begin : ends[row]], rank, spare, counts)
        begin = ends[row]
    return found


@kernel
def _of_buckets(
    buckets: _Buckets, short_ends: NDArray[np.int64], ends: NDArray[np.int64], percents: NDArray[np.int64]
) -> NDArray[np.uint64]:
    found = np.empty((ends.size, percents.size, 2), np.uint64)
    spare = np.empty(_longest(ends), np.uint64)
    counts = np.empty(_BINS, np.int64)
    first, last, begin = 0, 0, 0
    for row in range(ends.size):
        while last < short_ends.size and short_ends[last] <= ends[row]:
            last += 1
        lows, highs = buckets.begins[first], buckets.begins[last]
        for k in range(percents.size):
            rank = (ends[row] - begin - 1) * percents[k] // _HUNDREDTHS
            bucket = 0
            while rank >= np.int64(highs[bucket]) - np.int64(lows[bucket]):
                rank -= np.int64(highs[bucket]) - np.int64(lows[bucket])
                bucket += 1
            part = buckets.keys[lows[bucket] : highs[bucket]]
            found[row, k, 0], found[row, k, 1] = _neighbours(part, rank, spare, counts)
            if rank + 1 == part.size:
                bucket += 1
                while bucket < _BUCKETS and highs[bucket] == lows[bucket]:
                    bucket += 1
                if bucket < _BUCKETS:
                    found[row, k, 1] = buckets.keys[lows[bucket] : highs[bucket]].min()
        first, begin = last, ends[row]
    return found


@kernel
def _bucket_of_cell(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint8], np.uint64, np.uint64]:
    """Divide the range of the keys into cells, and give each cell a bucket so that buckets are about equally full.

    Returns:
        The bucket of each cell, the lowest key, and by how many bits a distance from it exceeds the cell's number.
    """
    lowest, highest = keys[0], keys[0]
    for key in keys:
        lowest = min(lowest, key)
        highest = max(highest, key)
    shift = _shift(highest - lowest, _CELLS)
    counts = np.zeros(_CELLS, np.int64)
    stride = max(1, keys.size // _SAMPLE)
    for i in range(0, keys.size, stride):
        counts[(keys[i] - lowest) >> shift] += 1
    total = counts.sum()
    table = np.empty(_CELLS, np.uint8)
    below = 0
    for cell in range(_CELLS):
        table[cell] = min(below * _BUCKETS // total, _BUCKETS - 1)
        below += counts[cell]
    return table, lowest, shift


@kernel
def _fill(keys: NDArray[np.uint64], ends: NDArray[np.int64], by_bucket: NDArray[np.uint64]) -> _Buckets:
    table, lowest, shift = _bucket_of_cell(keys)
    sizes = np.zeros(_BUCKETS, np.int64)
    for key in keys:
        sizes[table[(key - lowest) >> shift]] += 1
    next_free = np.zeros(_BUCKETS, np.uint32)
    for bucket in range(1, _BUCKETS):
        next_free[bucket] = next_free[bucket - 1] + sizes[bucket - 1]
    begins = np.empty((ends.size + 1, _BUCKETS), np.uint32)
    begin = 0
    for row in range(ends.size):
        begins[row, :] = next_free
        for i in range(begin, ends[row]):
            bucket = table[(keys[i] - lowest) >> shift]
            by_bucket[next_free[bucket]] = keys[i]
            next_free[bucket] += np.uint32(1)
        begin = ends[row]
    begins[ends.size, :] = next_free
    return _Buckets(by_bucket, begins)


@kernel
def _neighbours(
    keys: NDArray[np.uint64], rank: int, spare: NDArray[np.uint64], counts: NDArray[np.int64]
) -> tuple[np.uint64, np.uint64]:
    """Return the key of a rank, counted from 0, and that of the next rank (the same key for the last one).

    Args:
        keys: Not empty; left as they are.
        rank: Which.
        spare: Room for as many keys.
        counts: Room for `_BINS` numbers.
    """
    n = keys.size
    part = keys
    while n > _FEW:
        lowest, highest = part[0], part[0]
        for i in range(n):
            lowest = min(lowest, part[i])
            highest = max(highest, part[i])
        if lowest == highest:
            return lowest, highest
        shift = _shift(highest - lowest, _BINS)
        counts[:] = 0
        for i in range(n):
            counts[(part[i] - lowest) >> shift] += 1
        chosen = 0
        while rank >= counts[chosen]:
            rank -= counts[chosen]
            chosen += 1
        inside = counts[chosen]
        if rank + 1 == inside:
            return _edge(part[:n], lowest, shift, chosen)
        kept = 0
        for i in range(n):
            key = part[i]
            spare[kept] = key
            kept += np.int64((key - lowest) >> shift) == chosen
        part, n = spare, inside
    for i in range(n):
        key = part[i]
        k = i
        while k > 0 and spare[k - 1] > key:
            spare[k] = spare[k - 1]
            k -= 1
        spare[k] = key
    return spare[rank], spare[min(rank + 1, n - 1)]


@kernel
def _edge(keys: NDArray[np.uint64], lowest: np.uint64, shift: np.uint64, chosen: int) -> tuple[np.uint64, np.uint64]:
    """Return the highest key up to a bin and the lowest one above it (the former if there is none)."""
    below, above, any_above = lowest, lowest, False
    for key in keys:
        if np.int64((key - lowest) >> shift) <= chosen:
            below = max(below, key)
        else:
            above = min(above, key) if any_above else key
            any_above = True
    return below, above if any_above else below


@kernel
def _shift(span: np.uint64, cells: int) -> np.uint64:
    """Return by how many bits to shift numbers from 0 to `span` to make them less than `cells`."""
    shift = np.uint64(0)
    while span >> shift >= np.uint64(cells):
        shift += np.uint64(1)
    return shift


@kernel
def _longest(ends: NDArray[np.int64]) -> int:
    longest, begin = 0, 0
    for end in ends:
        longest = max(longest, end - begin)
        begin = end
    return longest


@kernel
def _interpolate(
    values: NDArray[np.float64], ends: NDArray[np.int64], percents: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return quantiles from the values of each one's rank and the next rank."""
    quantiles = np.empty((ends.size, percents.size))
    begin = 0
    for row in range(ends.size):
        for k in range(percents.size):
            part = ((ends[row] - begin - 1) * percents[k] % _HUNDREDTHS) / _HUNDREDTHS
            low, high = values[row, k, 0], values[row, k, 1]
            quantiles[row, k] = low + (high - low) * part
        begin = ends[row]
    return quantiles


def _values(keys: NDArray[np.uint64], *, plain: bool) -> NDArray[np.float64]:
    bits = keys if plain else _flipped_back(keys.ravel()).reshape(keys.shape)
    return bits.view(np.float64)


@kernel
def _flip(bits: NDArray[np.uint64], keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for i in range(bits.size):
        keys[i] = ~bits[i] if bits[i] & _SIGN else bits[i] | _SIGN
    return keys


@kernel
def _flipped_back(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = np.empty_like(keys)
    for i in range(keys.size):
        bits[i] = keys[i] ^ _SIGN if keys[i] & _SIGN else ~keys[i]
    return bits
