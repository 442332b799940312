"""`aperiodic build`."""

from __future__ import annotations

import os
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from aperiodic.cli.console import out, steps
from aperiodic.cli.installation import open_lake
from aperiodic.cli.parameters import Day, ExchangeName, SymbolName, check_range
from aperiodic.engine.build import build as run_build
from aperiodic.engine.plan import Selection

__all__ = ["build"]


def build(
    *,
    exchange: ExchangeName | None = None,
    symbol: SymbolName | None = None,
    start: Day | None = None,
    end: Day | None = None,
    workers: Annotated[int, Parameter(validator=Number(gte=0, lte=256))] = os.cpu_count() or 1,
    again: bool = False,
) -> None:
    """Compute the metrics that are out of date, and nothing else, and publish the months they belong to.

    Args:
        exchange: Only this exchange.
        symbol: Only this symbol, in Atlas symbology (perpetual-BTC-USDT:USDT).
        start: First day; the range is widened to whole months.
        end: Last day, inclusive.
        workers: Processes to use; 0 computes in this one, which needs no /dev/shm. The files are the same whatever their number.
        again: Compute what is up to date too.
    """
    check_range(start, end)
    with open_lake() as lake, steps() as progress:
        selection = Selection(exchange, symbol, start, end)
        report = run_build(lake, selection, workers=workers or None, again=again, progress=progress)
    if report.days or report.months:
        out.print(f"Built days: {report.days}, published months: {report.months} ({report.files} files).")
    else:
        out.print("Everything is up to date.")
    for note in report.notes:
        out.print(f"Note: {note}")
