"""How much one contract is, for venues that count in contracts: ticks are in base units."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

__all__ = ["Contract", "UnknownContractError"]


class UnknownContractError(Exception):
    """The size of a contract is not known, so that nothing can be said of its amounts.

    Attributes:
        name: The instrument, as the venue calls it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


class Contract(NamedTuple):
    """The size of one contract as a fraction so that a division rounds only once.

    Attributes:
        numerator: Of the size, in base units (linear) or in quote units (inverse).
        denominator: Of the same.
        inverse: Whether the size is in quote units.
    """

    numerator: int
    denominator: int
    inverse: bool

    def base(self, contracts: float, price: float) -> float:
        """Return an amount in base units."""
        divisor = self.denominator * price if self.inverse else self.denominator
        return contracts * self.numerator / divisor

    def base_column(self, contracts: pl.Expr, price: pl.Expr) -> pl.Expr:
        """Return amounts in base units; see `base`, with which they agree to the last digit."""
        return contracts * self.numerator / (self.denominator * price if self.inverse else self.denominator)

    def base_levels(self, flat: Sequence[float | None]) -> list[float | None]:
        """Return price, amount, price, amount … with amounts in base units; None stays None."""
        converted: list[float | None] = []
        for price, contracts in zip(flat[::2], flat[1::2], strict=True):
            known = price is not None and contracts is not None
            converted += (price, self.base(contracts, price) if known else None)  # type: ignore[arg-type]
        return converted
