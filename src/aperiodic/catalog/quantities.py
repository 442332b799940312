"""Fields that come in pairs: a quantity of the interval's last quote or book snapshot, and its mean over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aperiodic.catalog.model import Field, Unit

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Quantity"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a single quote or book snapshot tells.

    Attributes:
        name: Column name of the last value; the mean gets `_avg` after it.
        label: Short name of the last value for people.
        unit: Unit of both.
        description: What it tells, without a full stop.
        formula: The definition in mathematical notation.
        last: Of the interval's last quote or snapshot, over partials.
        average: Mean over the interval's quotes or snapshots, over partials.
        null: What makes it undefined at one quote or snapshot, or None when it always is defined.
        last_highlight: Why a reader should look at the last value first, if so.
        average_highlight: Why a reader should look at the mean first, if so.
        average_word: What comes before the label of the mean.
    """

    name: str
    label: str
    unit: Unit
    description: str
    formula: str
    last: pl.Expr
    average: pl.Expr
    null: str | None = None
    last_highlight: str | None = None
    average_highlight: str | None = None
    average_word: str = "Average"

    def fields(self, event: str) -> tuple[Field, Field]:
        """Return the field of the last value and the field of the mean; `event` is "quote" or "snapshot"."""
        of_last = f"at the last {event} of the interval."
        of_all = f"mean over the {event}s of the interval, each counting once however long it stood."
        last = Field(
            self.name,
            self.label,
            self.unit,
            f"{self.description}; {of_last}",
            self.formula,
            self.last,
            null="never" if self.null is None else f"{self.null} at the last {event}",
            highlight=self.last_highlight,
            caveat=of_last,
        )
        average = Field(
            f"{self.name}_avg",
            f"{self.average_word} {self.label}",
            self.unit,
            f"{self.description}; {of_all}",
            f"mean({self.formula})",
            self.average,
            null="never" if self.null is None else f"{self.null} at every {event} of the interval",
            highlight=self.average_highlight,
            caveat=of_all,
        )
        return last, average
