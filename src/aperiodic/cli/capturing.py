"""`aperiodic capture`."""

from __future__ import annotations

import asyncio
import errno
import tempfile
import time
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from aperiodic._version import __version__
from aperiodic.capture.check import Report
from aperiodic.capture.check import check as run_check
from aperiodic.capture.errors import CaptureError, DiskFullError
from aperiodic.capture.run import capture as run_capture
from aperiodic.capture.run import natives_of
from aperiodic.capture.settings import CaptureSettings
from aperiodic.cli.console import errors, out, print_line
from aperiodic.cli.errors import DISK_FULL, FAILED, NOT_LISTED, say_error
from aperiodic.cli.installation import read_settings
from aperiodic.cli.parameters import ExchangeName, SymbolList
from aperiodic.market import InvalidInputError

__all__ = ["capture"]

_MOST_SAID: Final = 20


def capture(
    *,
    exchange: ExchangeName,
    symbols: SymbolList | None = None,
    all: Annotated[bool, Parameter(negative=())] = False,  # noqa: A002 - the name of the flag
    channels: Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())] = None,
    shard: str = "s0",
    check: Annotated[bool, Parameter(negative=())] = False,
    seconds: Annotated[float, Parameter(validator=Number(gt=0, lte=86_400))] = 300.0,
) -> None:
    """Record what an exchange sends, until Ctrl-C; or try out with --check whether it sends what it should.

    Recordings are written to APERIODIC_HOME/recordings, and sealed every hour; `aperiodic import recording` reads them.

    Args:
        exchange: Venue.
        symbols: Instruments; without them, and without --all, the venue's majors.
        all: All instruments that the venue lists.
        channels: Channels by name; by default those that make ticks.
        shard: Name of this part, where several captures of one venue run here: small letters, digits, underscores.
        check: Keep nothing; print what each channel brought, to be pasted into a report.
        seconds: How long --check listens.
    """
    if all and symbols:
        raise InvalidInputError(
            "Both --all and --symbols are given.", code="contradiction", hint="Leave one of them out."
        )
    if not shard.isascii() or not shard.replace("_", "a").isalnum() or shard != shard.lower():
        raise InvalidInputError(
            f"{shard[:40]!r} is no name of a shard.",
            code="bad_shard",
            hint="Use small letters, digits and underscores.",
        )
    settings = read_settings(CaptureSettings)
    natives = natives_of(exchange, symbols or (), everything=all)
    if check:
        with tempfile.TemporaryDirectory(prefix="aperiodic-check-") as folder:
            trial = settings.model_copy(update={"home": Path(folder)})
            report = asyncio.run(
                run_check(exchange, natives, trial, channels=channels or (), seconds=seconds, say=_say)
            )
        _print(report)
        if not report.is_good:
            raise SystemExit(FAILED)
        return
    _make_home(settings.home)
    try:
        asyncio.run(
            run_capture(
                exchange,
                natives,
                settings,
                channels=channels or (),
                shard=shard,
                say=_say,
                started=lambda session: errors.print(
                    f"Capturing {exchange} into {settings.home / 'recordings'} (Ctrl-C stops): "
                    f"{'all symbols' if natives is None else len(session.natives)}, "
                    + ", ".join(channel.name for channel in session.channels),
                    highlight=False,
                    markup=False,
                    soft_wrap=True,
                ),
            )
        )
    except DiskFullError as error:
        say_error(error)
        raise SystemExit(DISK_FULL) from None
    except CaptureError as error:
        if error.code != "not_listed":
            raise
        say_error(error)
        raise SystemExit(NOT_LISTED) from None


def _make_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return  # said better where it matters
        raise InvalidInputError(
            f"Nothing can be written in {home}: {error.strerror}.",
            code="home_unavailable",
            hint="Set APERIODIC_HOME to a folder that you can write.",
        ) from None


def _say(words: str) -> None:
    at = time.strftime("%H:%M:%S", time.gmtime())
    errors.print(f"{at} {words}", highlight=False, markup=False, soft_wrap=True)


def _print(report: Report) -> None:
    print_line(
        f"aperiodic {__version__}, {report.exchange}, listened for {report.seconds:g} s, "
        f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}"
    )
    table = Table(box=None, pad_edge=False)
    for title in ("channel", "host", "streams", "proven", "frames", "first", "breaks", "unknown fields", "verdict"):
        table.add_column(
            title, justify="right" if title in {"streams", "proven", "frames", "first", "breaks"} else "left"
        )
    for each in report.channels:
        table.add_row(
            each.channel,
            each.host,
            f"{each.streams:,}",
            f"{each.proven:,}",
            f"{each.frames:,}",
            "-" if each.first_s is None else f"{each.first_s:.1f} s",
            f"{each.breaks:,}",
            ", ".join(each.unknown) or "-",
            each.verdict,
        )
    out.print(table)
    if report.clock_offset_ms is None:
        print_line("clock: the venue does not tell its time")
    else:
        print_line(f"clock: venue less here {report.clock_offset_ms:+.1f} ms (answer in {report.clock_rtt_ms:.0f} ms)")
    for words in report.said[-_MOST_SAID:]:
        print_line(f"- {words}")
    if not report.is_reached:
        print_line("No host of the venue answered. See whether this machine reaches any: aperiodic doctor")
