"""Names of the partials of order books: what the engine knows of every bar before any field is computed.

B, A are the sums of the amounts of the best N bid and ask levels of a snapshot, N one of `DEPTHS`: of fewer where the
book is shallower, undefined where the side is empty. Every snapshot counts. Sums over snapshots are good to about 32
digits before they are rounded, and each comes with the number of snapshots at which its quantity is defined.
"""

from __future__ import annotations

from typing import Final

import polars as pl

DEPTHS: Final = (5, 10, 20, 25)
"""Numbers of best levels a side that are summed."""

QUANTITIES: Final = ("bid_agg", "ask_agg", "imbalance", "imbalance_ratio", "bid_ask_ratio")
"""What is summed over snapshots, for each of `DEPTHS`: B, A, B - A, (B - A)/(B + A), B/A."""


def bid_agg(depth: int) -> pl.Expr:
    """B of the last snapshot, null where it has no bids."""
    return pl.col(f"bid_agg_{depth}")


def ask_agg(depth: int) -> pl.Expr:
    """A of the last snapshot, null where it has no asks."""
    return pl.col(f"ask_agg_{depth}")


def total(quantity: str, depth: int) -> pl.Expr:
    """Sum of one of `QUANTITIES` over the snapshots at which it is defined."""
    return pl.col(f"{quantity}_{depth}_sum")


def count(quantity: str, depth: int) -> pl.Expr:
    """Number of snapshots at which one of `QUANTITIES` is defined."""
    return pl.col(f"{quantity}_{depth}_count")
