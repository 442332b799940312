"""Compiled parts of an order book: reading levels out of JSON text, and keeping sorted levels.

One side of a book is an array of two rows, keys and amounts, of which the first `count` places are filled. Keys ascend
and the best level comes last, so that changes near it move little: keys are prices for bids, negated prices for asks.
A level that was removed keeps its place with amount 0 until that place is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from aperiodic.jit import inlined, kernel
from aperiodic.market import BOOK_DEPTH
from aperiodic.venues.events import LARGEST, SMALLEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FLAT", "read_levels", "update_book"]

FLAT: Final = 2 * BOOK_DEPTH
"""Values of one side's best levels: price, amount, price, amount …"""

_EXACT: Final = 1 << 53
_MAX_DIGITS: Final = 18
_POWERS: Final = np.array([float(10**power) for power in range(23)])
_MOST_SKIPPED: Final = 256
_KEYS, _AMOUNTS = 0, 1
_BEGIN, _END, _COMMA, _QUOTE, _POINT, _ZERO, _NINE = (ord(sign) for sign in '[],".09')


@kernel
def _read_number(text: NDArray[np.uint8], at: int) -> tuple[int, float]:
    """Read `"digits.digits"` at a place; return the place behind it and the nearest double, or -1 where it is other."""
    whole, digits, point, size = 0, 0, -1, text.size
    if at >= size or text[at] != _QUOTE:
        return -1, 0.0
    at += 1
    first = at
    while at < size:
        sign = text[at]
        if _ZERO <= sign <= _NINE:
            whole = whole * 10 + (sign - _ZERO)
            digits += 1
            if digits > _MAX_DIGITS:
                return -1, 0.0
        elif sign == _POINT and point < 0 and at > first:
            point = at
        else:
            break
        at += 1
    if at >= size or text[at] != _QUOTE or digits == 0 or point == at - 1:
        return -1, 0.0
    if text[first] == _ZERO and at > first + 1 and point != first + 1:
        return -1, 0.0
    places = at - point - 1 if point >= 0 else 0
    while whole > _EXACT and whole % 10 == 0 and places > 0:
        whole //= 10
        places -= 1
    if whole > _EXACT:
        return -1, 0.0
    # Both are exact, so that the division is rounded once, and rightly.
    return at + 1, whole / _POWERS[places]


@kernel
def _read_level(text: NDArray[np.uint8], at: int) -> tuple[int, float, float]:
    """Read `["price","amount"]`, numbers behind these left out; return the place behind it, or -1, and both."""
    size, amount = text.size, 0.0
    at, price = _read_number(text, at + 1)
    if at < 0 or at >= size or text[at] != _COMMA or not SMALLEST <= price <= LARGEST:
        return -1, price, amount
    at, amount = _read_number(text, at + 1)
    while 0 <= at < size and text[at] == _COMMA:
        at, _further = _read_number(text, at + 1)
    if at < 0 or at >= size or text[at] != _END or amount > LARGEST:
        return -1, price, amount
    return at + 1, price, amount


@kernel
def _read_side(text: NDArray[np.uint8], at: int, values: NDArray[np.float64], used: int) -> tuple[int, int]:
    """Read `[[…],[…]]` into rows from `used` on; return the place behind it, or -1, and rows used."""
    size = text.size
    if at + 1 < size and text[at] == _BEGIN and text[at + 1] == _END:
        return at + 2, used
    separator = _BEGIN
    while at + 1 < size and text[at] == separator and text[at + 1] == _BEGIN and used < values.shape[0]:
        at, values[used, 0], values[used, 1] = _read_level(text, at + 1)
        if at < 0 or at >= size:
            break
        used += 1
        if text[at] == _END:
            return at + 1, used
        separator = _COMMA
    return -1, used


@kernel
def read_levels(
    text: NDArray[np.uint8], at: int, between: NDArray[np.uint8], values: NDArray[np.float64]
) -> tuple[int, int, int]:
    """Read the levels of both sides out of JSON text that is written as venues write it, without spaces.

    Args:
        text: UTF-8.
        at: Where the first side's `[` stands.
        between: What stands between the two sides.
        values: Where to write price and amount of each level, a row each; the first side, then the second.

    Returns:
        Rows of the first side, rows of both, and the place behind the second side; the latter is -1 where something is
        written otherwise, is out of the range of prices and amounts, or does not fit: read it by other means then.
        Numbers are read as the nearest double.
    """
    at, first = _read_side(text, at, values, 0)
    if at < 0 or at + between.size >= text.size:
        return 0, 0, -1
    for i in range(between.size):
        if text[at + i] != between[i]:
            return 0, 0, -1
    at, both = _read_side(text, at + between.size, values, first)
    return first, both, at


@inlined
def _place(keys: NDArray[np.float64], count: int, key: float) -> int:
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _compact(side: NDArray[np.float64], count: int) -> int:
    kept = 0
    for i in range(count):
        if side[_AMOUNTS, i] > 0.0:
            side[_KEYS, kept] = side[_KEYS, i]
            side[_AMOUNTS, kept] = side[_AMOUNTS, i]
            kept += 1
    return kept


@kernel
def _set_levels(
    side: NDArray[np.float64], count: int, changes: NDArray[np.float64], sign: float, boundary: float
) -> tuple[int, bool]:
    """Set levels to absolute amounts, 0 removes; return the new count and whether one at or above a key changed."""
    keys, amounts = side[_KEYS], side[_AMOUNTS]
    touched = False
    for i in range(changes.shape[0]):
        key, amount = sign * changes[i, 0], changes[i, 1]
        place = _place(keys, count, key)
        if place < count and keys[place] == key:
            if amounts[place] == amount:
                continue
            amounts[place] = amount
        elif amount == 0.0:
            continue
        else:
            if place > 0 and amounts[place - 1] == 0.0:
                place -= 1
            elif place == count or amounts[place] > 0.0:
                for j in range(count, place, -1):
                    keys[j] = keys[j - 1]
                    amounts[j] = amounts[j - 1]
                count += 1
            keys[place] = key
            amounts[place] = amount
        if key >= boundary:
            touched = True
    while count > 0 and amounts[count - 1] == 0.0:
        count -= 1
    return count, touched


@kernel
def _take_best(side: NDArray[np.float64], count: int, sign: float, best: NDArray[np.float64]) -> tuple[bool, int]:
    """Write the best levels, NaN where there are none; return whether they differ, and how many places were skipped."""
    changed, at, skipped = False, 0, 0
    place = count - 1
    while at < best.size and place >= 0:
        amount = side[_AMOUNTS, place]
        if amount > 0.0:
            price = sign * side[_KEYS, place]
            changed |= best[at] != price or best[at + 1] != amount
            best[at] = price
            best[at + 1] = amount
            at += 2
        else:
            skipped += 1
        place -= 1
    for rest in range(at, best.size):
        changed |= not np.isnan(best[rest])
        best[rest] = np.nan
    return changed, skipped


@kernel
def _update_side(
    side: NDArray[np.float64], count: int, changes: NDArray[np.float64], sign: float, best: NDArray[np.float64]
) -> tuple[int, bool]:
    deepest = best[best.size - 2]
    boundary = -np.inf if np.isnan(deepest) else sign * deepest
    count, touched = _set_levels(side, count, changes, sign, boundary)
    if not touched:
        return count, False
    changed, skipped = _take_best(side, count, sign, best)
    if skipped > _MOST_SKIPPED:
        count = _compact(side, count)
    return count, changed


@kernel
def update_book(
    bids: NDArray[np.float64],
    asks: NDArray[np.float64],
    counts: NDArray[np.int64],
    best: NDArray[np.float64],
    changes: NDArray[np.float64],
    n_bids: int,
) -> int:
    """Apply the absolute levels of one update.

    Args:
        bids: Bids, see the module.
        asks: Asks.
        counts: Filled places of both.
        best: Price and amount of the best bids, then of the best asks; NaN where there is no level.
        changes: Price and amount of each changed level, a row each: bids, then asks; amount 0 removes.
        n_bids: Rows that are bids.

    Returns:
        1 when one of the best levels changed, 0 when not, -1 when nothing was done because an array is too small.
    """
    n_asks = changes.shape[0] - n_bids
    if counts[0] + n_bids > bids.shape[1]:
        counts[0] = _compact(bids, counts[0])
    if counts[1] + n_asks > asks.shape[1]:
        counts[1] = _compact(asks, counts[1])
    if counts[0] + n_bids > bids.shape[1] or counts[1] + n_asks > asks.shape[1]:
        return -1
    counts[0], bids_changed = _update_side(bids, counts[0], changes[:n_bids], 1.0, best[:FLAT])
    counts[1], asks_changed = _update_side(asks, counts[1], changes[n_bids:], -1.0, best[FLAT:])
    return 1 if bids_changed or asks_changed else 0
