"""The price levels that market makers put up, and how fills eat into one side of them.

Market makers put up a fresh ladder on each side whenever they requote. Until the next requote it only gets shorter:
fills take from its best level, and where a fill takes the last of a level the next one becomes the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aperiodic.market import BOOK_DEPTH

if TYPE_CHECKING:
    from aperiodic.simulate.arrays import BoolArray, IntArray
    from aperiodic.simulate.instrument import Grid

__all__ = ["Ladder", "Shapes", "SideState", "eat"]

_SHAPES: Final = 256
_DEEPEST_BEST: Final = 39
_LEVELS: Final = _DEEPEST_BEST + BOOK_DEPTH
_GAP_STOP: Final = 0.6
_MEDIAN_NOTIONAL: Final = 15_000.0
_NOTIONAL_SPREAD: Final = 1.0
_GROWTH_A_LEVEL: Final = 0.05


@dataclass(frozen=True, slots=True)
class Shapes:
    """A day's stock of ladder shapes: one row a shape, one column a level, best first.

    Attributes:
        offset: Ticks from the ladder's first price, 0 for the best level and strictly ascending.
        steps: Amount resting at each level in steps, at least one.
    """

    offset: IntArray
    steps: IntArray

    @classmethod
    def draw(cls, rng: np.random.Generator, grid: Grid) -> Shapes:
        """Draw shapes with random gaps and amounts that grow with depth."""
        gaps = rng.geometric(_GAP_STOP, (_SHAPES, _LEVELS))
        gaps[:, 0] = 0
        growth = 1.0 + _GROWTH_A_LEVEL * np.arange(_LEVELS)
        notional = _MEDIAN_NOTIONAL * growth * np.exp(_NOTIONAL_SPREAD * rng.standard_normal((_SHAPES, _LEVELS)))
        steps = np.maximum(np.rint(notional / grid.level * 10.0**grid.amount_decimals), 1.0)
        return cls(offset=np.cumsum(gaps, axis=1), steps=steps.astype(np.int64))

    @staticmethod
    def choose(rng: np.random.Generator, count: int) -> IntArray:
        """Draw the row that each of `count` ladders takes."""
        return rng.integers(_SHAPES, size=count)


@dataclass(frozen=True, slots=True)
class Ladder:
    """One side's ladders, one for each requote.

    Attributes:
        ticks: Price of the first level.
        direction: +1 on the ask side, -1 on the bid side: which way deeper levels lie.
        shape: Row of the shapes that the ladder takes.
        best_steps: Amount at the first level; that of deeper levels comes from the shape.
        shapes: The day's stock of shapes.
    """

    ticks: IntArray
    direction: int
    shape: IntArray
    best_steps: IntArray
    shapes: Shapes

    def price_ticks(self, requote: IntArray, level: IntArray) -> IntArray:
        """Return the price of a level, in ticks."""
        price: IntArray = self.ticks[requote] + self.direction * self.shapes.offset[self.shape[requote], level]
        return price

    def resting_steps(self, requote: IntArray, level: IntArray) -> IntArray:
        """Return what rests at a level that no fill has touched, in steps."""
        deep = self.shapes.steps[self.shape[requote], level]
        return np.where(level == 0, self.best_steps[requote], deep)


@dataclass(frozen=True, slots=True)
class SideState:
    """How one side fares under its fills.

    Attributes:
        level: Level at which each fill trades.
        level_after: Best level once the fill is done.
        steps_after: Amount at the best level once the fill is done, positive.
        steps_put_up: Amount at the best level when each requote is made, positive.
    """

    level: IntArray
    level_after: IntArray
    steps_after: IntArray
    steps_put_up: IntArray


def eat(ladder: Ladder, requote: IntArray, steps: IntArray, depletes: BoolArray) -> SideState:
    """Let the fills of one side, in time order, take from the ladders they meet.

    What a level shows is what its fills will take, and what is left over if none of them takes the last of it.
    So an amount shown is never less than what then trades there.

    Args:
        ladder: The side's ladders.
        requote: Which ladder each fill meets, ascending.
        steps: Amount of each fill.
        depletes: Whether it takes the last of its level.
    """
    put_up = ladder.best_steps.copy()
    count = len(requote)
    if count == 0:
        return SideState(level=requote, level_after=requote, steps_after=steps, steps_put_up=put_up)
    fresh = np.concatenate(([True], requote[1:] != requote[:-1]))
    depleted_before: IntArray = np.cumsum(depletes) - depletes
    first = np.maximum.accumulate(np.where(fresh, np.arange(count), 0))
    level = np.minimum(depleted_before - depleted_before[first], _DEEPEST_BEST)

    # A visit is a run of fills at one level of one ladder.
    begins = np.flatnonzero(fresh | np.concatenate(([True], depletes[:-1])))
    visit = np.zeros(count, dtype=np.int64)
    visit[begins[1:]] = 1
    visit = np.cumsum(visit)
    ends = np.concatenate((begins[1:], [count])) - 1
    left_over = np.where(depletes[ends], 0, ladder.resting_steps(requote[begins], level[begins]))
    shown = np.add.reduceat(steps, begins) + left_over
    put_up[requote[fresh]] = shown[visit[fresh]]

    taken = np.cumsum(steps)
    taken_in_visit = taken - (taken - steps)[begins][visit]
    level_after = np.minimum(level + depletes, _DEEPEST_BEST)
    visited_next = np.concatenate((~fresh[1:], [False]))
    next_shown = np.where(
        visited_next,
        shown[np.minimum(visit + 1, len(begins) - 1)],
        ladder.resting_steps(requote, level_after),
    )
    steps_after = np.where(depletes, next_shown, shown[visit] - taken_in_visit)
    return SideState(level=level, level_after=level_after, steps_after=steps_after, steps_put_up=put_up)
