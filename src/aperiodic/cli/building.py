"""`aperiodic build`."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from aperiodic.cli.console import errors, out, print_line, steps
from aperiodic.cli.installation import Begin, open_lake
from aperiodic.cli.parameters import Day, ExchangeName, SymbolName, check_range
from aperiodic.engine.build import build as run_build
from aperiodic.engine.executors.choosing import executor_of
from aperiodic.engine.plan import Selection
from aperiodic.market import Exchange, InvalidInputError
from aperiodic.market.time import time_at

if TYPE_CHECKING:
    from aperiodic.engine.open_days import Round

__all__ = ["build"]

_PAUSE_S: Final = 0.25


def build(
    *,
    exchange: ExchangeName | None = None,
    symbol: SymbolName | None = None,
    start: Day | None = None,
    end: Day | None = None,
    workers: Annotated[int, Parameter(validator=Number(gte=0, lte=256))] = os.cpu_count() or 1,
    on: str = "processes",
    again: bool = False,
    follow: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Compute the metrics that are out of date, and nothing else, and publish the months they belong to.

    Args:
        exchange: Only this exchange.
        symbol: Only this symbol, in Atlas symbology (perpetual-BTC-USDT:USDT).
        start: First day; the range is widened to whole months.
        end: Last day, inclusive.
        workers: Processes to use; 0 computes in this one, which needs no /dev/shm, and so does a build of few ticks (16 tasks
            and 12 MiB at most). The files are the same whatever their number.
        on: Where to compute: processes of this machine, ray for the Ray cluster that it is a node of, or ray://host:port
            for another one. The files are the same.
        again: Compute what is up to date too.
        follow: Go on until Ctrl-C: publish the bars of days that are not over as their ticks come, and build days that
            are over.
    """
    check_range(start, end)
    if follow:
        if again or symbol or start or end or on != "processes":
            raise InvalidInputError(
                "With --follow everything is built.",
                code="contradiction",
                hint="Leave out the other options, but for --exchange.",
            )
        _follow(exchange)
        return
    with open_lake() as lake, steps() as progress:
        selection = Selection(exchange, symbol, start, end)
        executor = executor_of(on, lake.store.url, workers)
        report = run_build(lake, selection, executor=executor, again=again, progress=progress)
    if report.days or report.months:
        out.print(f"Built days: {report.days}, published months: {report.months} ({report.files} files).")
    else:
        out.print("Everything is up to date.")
    for note in report.notes:
        out.print(f"Note: {note}")


def _follow(exchange: Exchange | None) -> None:
    # With the kernels, which a build that finds nothing to do does without.
    from aperiodic.cli.compiling import compile_once  # noqa: PLC0415
    from aperiodic.cli.stopping import stop_signal  # noqa: PLC0415
    from aperiodic.engine.days_told import TOLD_EVERY_S, tell  # noqa: PLC0415
    from aperiodic.engine.open_days import OpenDayBuilder  # noqa: PLC0415

    with open_lake(Begin.IN_A_FOLDER) as lake, stop_signal() as over:
        errors.print("Publishing bars as days grow (Ctrl-C stops)", highlight=False)
        compile_once(lake.home, over)
        exchanges = () if exchange is None else (exchange,)
        builder = OpenDayBuilder(lake, workers=1, exchanges=exchanges)
        told_at = -TOLD_EVERY_S
        told: tuple[str | None, str | None] = (None, None)
        try:
            while not over.is_set():
                done = builder.round()
                if done.files or done.days or told != (done.waits, done.trouble):
                    told = (done.waits, done.trouble)
                    print_line(_words(done) or "all can be read and written again")
                if time.monotonic() - told_at >= TOLD_EVERY_S:
                    told_at = time.monotonic()
                    tell(lake.home, "build", exchanges, builder.unreadable)
                over.wait(_PAUSE_S)
        finally:
            builder.close()


def _words(done: Round) -> str:
    until = "" if done.bars_until is None else f"bars until {time_at(done.bars_until):%H:%M:%S}"
    built = f"{done.days} days built" if done.days else ""
    waits = f"waits: {done.waits}" if done.waits else ""
    files = f"{done.files} files" if done.files else ""
    return ", ".join(words for words in (until, files, built, waits, done.trouble) if words)
