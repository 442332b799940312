"""Keeps count of which field was compared with an oracle on which interval and clock, for the table after a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

CHECKED: Final[set[tuple[str, str, str, str]]] = set()
"""(dataset, field, interval, clock) compared in this process."""

RTOL: Final = {**oracle.DEFAULT_RTOL, **oracle.TRADE_RTOL, **oracle.OTHER_RTOL}
ATOL: Final = {**oracle.DEFAULT_ATOL, **oracle.TRADE_ATOL, **oracle.OTHER_ATOL}


def compare(actual: pl.DataFrame, expected: pl.DataFrame, dataset: str, clock: str, interval: str) -> None:
    """Compare a dataset's bars with an oracle's, and count its fields."""
    oracle.assert_bars_equal(actual, expected, rtol=RTOL, atol=ATOL)
    CHECKED.update((dataset, field, str(interval), str(clock)) for field in actual.columns if field != "time")


def table(checked: Iterable[tuple[str, str, str, str]], contract: Mapping[str, Iterable[str]]) -> list[str]:
    """Return one line a dataset: fields, intervals and clocks compared, and what is missing."""
    done = set(checked)
    intervals = sorted({interval for _, _, interval, _ in done}, key=list(oracle.INTERVAL_SECONDS).index)
    clocks = sorted({clock for _, _, _, clock in done})
    compared = {(interval, clock) for _, _, interval, clock in done}
    lines = [f"{'dataset':18}fields  clocks ({' '.join(clocks)}) by intervals ({' '.join(intervals)})"]
    for dataset, fields in contract.items():
        names = list(fields)
        wanted = {(dataset, name, *slot) for name in names for slot in compared}
        found = len(wanted & done)
        lines.append(f"{dataset:18}{len(names):6}  {found} of {len(wanted)} compared")
    return [*lines, f"{'all':18}{sum(len(list(fields)) for fields in contract.values()):6}  {len(done)} compared"]
