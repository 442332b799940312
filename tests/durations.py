"""How long every test took, set-up and tear-down included: `make durations` keeps the record in `tests/durations.tsv`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

LEAST_S: Final = 0.5
"""Tests below this, s, are summed up in one line."""


class Durations:
    """Gathers the seconds of all tests, also of those in worker processes."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one phase of one test."""
        self._seconds[report.nodeid] += report.duration  # type: ignore[assignment]  # a Counter adds floats too

    def pytest_sessionfinish(self) -> None:
        """Write the record."""
        total = sum(self._seconds.values())
        long = [(name, seconds) for name, seconds in self._seconds.most_common() if seconds >= LEAST_S]
        rest = total - sum(seconds for _, seconds in long)
        lines = [f"{total:.1f}\tall {len(self._seconds)} tests", f"{rest:.1f}\tthose below {LEAST_S} s"]
        lines += [f"{seconds:.1f}\t{name}" for name, seconds in long]
        self._path.write_text("\n".join(lines) + "\n", encoding="utf-8")
