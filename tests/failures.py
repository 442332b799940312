"""Failures are told when they happen, not only at the end: a run that is cut off tells what it has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


class FailuresAtOnce:
    """Writes each failure below the line of dots."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a failure of one phase of one test."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(f"{report.nodeid} failed ({report.when}, {report.duration:.1f} s)", red=True)
            reporter.write_line(report.longreprtext[-6_000:])
