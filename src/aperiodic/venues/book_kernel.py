"""Compiled parts of an order book: reading levels out of JSON text, and keeping sorted levels.

A book is an array of two sides, each of two rows, keys and amounts, of which the first `count` places are filled. Keys
ascend and the best level comes last, so that changes near it move little: keys are prices for bids, negated prices for
asks. A level that was removed keeps its place with amount 0 until that place is wanted.
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
_NEAR: Final = 64
_COLUMNS: Final = 2
_KEYS, _AMOUNTS = 0, 1
_BEGIN, _END, _COMMA, _QUOTE, _POINT, _ZERO, _NINE = (ord(sign) for sign in '[],".09')


@kernel
def read_levels(  # noqa: C901, PLR0911, PLR0912, PLR0915 - one loop without calls is five times as fast
    text: NDArray[np.uint8], at: int, between: NDArray[np.uint8], values: NDArray[np.float64]
) -> tuple[int, int, int]:
    """Read the levels of both sides out of JSON text that is written as venues write it, without spaces.

    Args:
        text: UTF-8 that ends with `}`.
        at: Where the first side's `[` stands.
        between: What stands between the two sides.
        values: Where to write price and amount of each level, a row each; the first side, then the second.

    Returns:
        Rows of the first side, rows of both, and the place behind the second side; the latter is -1 where something is
        written otherwise, is out of the range of prices and amounts, or does not fit: read it by other means then.
        Numbers are read as the nearest double.
    """
    # Nothing here goes beyond a sign that it does not expect, and the last one is expected nowhere.
    used, first, room = 0, 0, values.shape[0]
    for side in range(2):
        if side == 1:
            first = used
            for i in range(between.size):
                if text[at + i] != between[i]:
                    return 0, 0, -1
            at += between.size
        if text[at] != _BEGIN:
            return 0, 0, -1
        at += 1
        if text[at] == _END:
            at += 1
            continue
        while True:
            if text[at] != _BEGIN or used == room:
                return 0, 0, -1
            column = 0
            while True:
                at += 1
                if text[at] != _QUOTE:
                    return 0, 0, -1
                at += 1
                begin, whole, places = at, 0, 0
                while _ZERO <= text[at] <= _NINE:
                    whole = whole * 10 + (text[at] - _ZERO)
                    at += 1
                digits = at - begin
                if digits == 0 or (text[begin] == _ZERO and digits > 1):
                    return 0, 0, -1
                if text[at] == _POINT:
                    at += 1
                    point = at
                    while _ZERO <= text[at] <= _NINE:
                        whole = whole * 10 + (text[at] - _ZERO)
                        at += 1
                    places = at - point
                    digits += places
                    if places == 0:
                        return 0, 0, -1
                if text[at] != _QUOTE or digits > _MAX_DIGITS:
                    return 0, 0, -1
                at += 1
                while whole > _EXACT and places > 0 and whole % 10 == 0:
                    whole //= 10
                    places -= 1
                if whole > _EXACT:
                    return 0, 0, -1
                if column < _COLUMNS:
                    # Both are exact, so that the division is rounded once, and rightly.
                    values[used, column] = whole / _POWERS[places]
                column += 1
                if text[at] != _COMMA:
                    break
            if text[at] != _END or column < _COLUMNS:
                return 0, 0, -1
            if not SMALLEST <= values[used, 0] <= LARGEST or values[used, 1] > LARGEST:
                return 0, 0, -1
            used += 1
            at += 1
            if text[at] == _END:
                break
            if text[at] != _COMMA:
                return 0, 0, -1
            at += 1
        at += 1
    return first, used, at


@inlined
def _place(keys: NDArray[np.float64], count: int, key: float) -> int:
    """Return how many of the keys are less; without branches, which could not be foretold."""
    low, length = 0, count
    while length > 1:
        half = length >> 1
        low += half * (keys[low + half - 1] < key)
        length -= half
    return low + (keys[low] < key if length == 1 else 0)


@kernel
def _make_room(keys: NDArray[np.float64], amounts: NDArray[np.float64], count: int, place: int) -> tuple[int, int]:
    """Free a place between the levels before `place` and those from it on; return it and the new count.

    The nearest place of a removed level is taken, so that few levels move.
    """
    right, last = place, min(count, place + _NEAR)
    while right < last and amounts[right] > 0.0:
        right += 1
    if right == last and last < count:
        left, first = place - 1, max(-1, place - 1 - _NEAR)
        while left > first and amounts[left] > 0.0:
            left -= 1
        if left > first:
            for j in range(left, place - 1):
                keys[j] = keys[j + 1]
                amounts[j] = amounts[j + 1]
            return place - 1, count
        right = count
    for j in range(right, place, -1):
        keys[j] = keys[j - 1]
        amounts[j] = amounts[j - 1]
    return place, max(count, right + 1)


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
        elif amount == 0.0:
            continue
        else:
            place, count = _make_room(keys, amounts, count, place)
            keys[place] = key
        amounts[place] = amount
        touched |= key >= boundary
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
def update_book(
    levels: NDArray[np.float64],
    counts: NDArray[np.int64],
    best: NDArray[np.float64],
    changes: NDArray[np.float64],
    n_bids: int,
) -> int:
    """Apply the absolute levels of one update.

    Args:
        levels: Bids and asks, see the module.
        counts: Filled places of both.
        best: Price and amount of the best bids, then of the best asks; NaN where there is no level.
        changes: Price and amount of each changed level, a row each: bids, then asks; amount 0 removes.
        n_bids: Rows that are bids.

    Returns:
        1 when one of the best levels changed, 0 when not, -1 when nothing was done because there is too little room.
    """
    room = levels.shape[2]
    added = max(n_bids, changes.shape[0] - n_bids)
    for side in range(2):
        if counts[side] + added > room:
            counts[side] = _compact(levels[side], counts[side])
            if counts[side] + added > room:
                return -1
    outcome = 0
    for side in range(2):
        own = changes[:n_bids] if side == 0 else changes[n_bids:]
        if own.shape[0] == 0:
            continue
        sign = 1.0 - 2.0 * side
        shown = best[side * FLAT : (side + 1) * FLAT]
        boundary = -np.inf if np.isnan(shown[FLAT - 2]) else sign * shown[FLAT - 2]
        counts[side], touched = _set_levels(levels[side], counts[side], own, sign, boundary)
        if touched:
            changed, skipped = _take_best(levels[side], counts[side], sign, shown)
            if changed:
                outcome = 1
            if skipped > _MOST_SKIPPED:
                counts[side] = _compact(levels[side], counts[side])
    return outcome
