"""From the best levels of a simulated book to the changes that a venue sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aperiodic.market import book_columns

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Ladders"]

_COLUMNS: Final = {
    side: tuple(zip(book_columns(side, "price"), book_columns(side, "amount"), strict=True)) for side in ("bid", "ask")
}


class Ladders:
    """Remembers the levels of both sides as they were written."""

    def __init__(
        self, price_decimals: int, amount_decimals: int, amount: Callable[[float], float] | None = None
    ) -> None:
        """Begin with an empty book.

        Args:
            price_decimals: Digits after the point of a price.
            amount_decimals: Digits after the point of an amount.
            amount: Turns base units into what the venue counts in.
        """
        self._prices = price_decimals
        self._amounts = amount_decimals
        self._amount = amount
        self._before: dict[str, dict[str, str]] = {"bid": {}, "ask": {}}

    def levels(self, row: dict[str, Any], side: str) -> dict[str, str]:
        """Return the levels of a tick, best first, as texts."""
        found: dict[str, str] = {}
        for price, amount in _COLUMNS[side]:
            if row[price] is None:
                break
            value = row[amount] if self._amount is None else self._amount(row[amount])
            found[f"{row[price]:.{self._prices}f}"] = f"{value:.{self._amounts}f}"
        return found

    def changes(self, row: dict[str, Any]) -> tuple[list[list[str]], list[list[str]]]:
        """Return what is different from the tick before: absolute amounts, 0 for levels that are gone."""
        return self._side(row, "bid"), self._side(row, "ask")

    def _side(self, row: dict[str, Any], side: str) -> list[list[str]]:
        before, after = self._before[side], self.levels(row, side)
        self._before[side] = after
        zero = f"{0:.{self._amounts}f}"
        gone = [[price, zero] for price in before if price not in after]
        return gone + [[price, amount] for price, amount in after.items() if before.get(price) != amount]
