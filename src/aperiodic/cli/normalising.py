"""`aperiodic normalise`."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from functools import partial
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from aperiodic.cli.console import errors, print_line
from aperiodic.cli.errors import FAILED, say_error
from aperiodic.cli.findings import strange_words
from aperiodic.cli.installation import Begin, open_lake, read_settings
from aperiodic.cli.memory import GarbageCollection
from aperiodic.cli.parameters import ExchangeList
from aperiodic.cli.stopping import stop_signal
from aperiodic.cli.turns import take_short_turns
from aperiodic.engine.handover import TicksSender
from aperiodic.engine.normalising import Normaliser, Progress
from aperiodic.engine.uploading import Uploader, uploading
from aperiodic.lake import Settings
from aperiodic.lake.recordings import list_strange
from aperiodic.market import Source

__all__ = ["normalise"]


def normalise(
    *,
    exchange: ExchangeList | None = None,
    follow: Annotated[bool, Parameter(negative=())] = False,
    every: Annotated[float, Parameter(validator=Number(gte=0.5, lte=3_600))] = 60.0,
    grace: Annotated[float, Parameter(validator=Number(gte=0, lte=86_400))] = 3_600.0,
    simulated: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Make ticks of what `aperiodic capture` records, also of recordings that still grow.

    It goes on where it stopped the last time, however it ended: nothing is lost, and nothing is counted twice. Days that
    are over become one object of ticks each, an hour after their end.

    A recording that is shorter than its sidecar says is told, and waits with what comes after it until it is whole.

    Where recordings are kept in the store (APERIODIC_RECORDINGS), those that are sealed are put there meanwhile, and
    removed from this disk when they have been there for APERIODIC_RECORDINGS_ON_DISK_DAYS and their ticks are made.

    Args:
        exchange: Only recordings of these venues.
        follow: Go on as recordings grow, until Ctrl-C.
        every: With --follow: seconds between two commits.
        grace: Seconds after its end for which a day waits for late ticks.
        simulated: The recordings are of a mock exchange: their ticks are marked as simulated.
    """
    settings = read_settings(Settings)
    with open_lake(Begin.IN_A_FOLDER) as lake:
        if strange := list_strange(lake.home):
            _say(strange_words(strange))
        uploader = None
        if settings.recordings_in_store:
            days = settings.recordings_on_disk_days
            uploader = Uploader(lake, exchanges=exchange or (), on_disk_days=days, say=_say)
        choose = partial(
            Normaliser,
            lake,
            exchanges=exchange or (),
            every_s=every,
            grace_s=grace,
            source=Source.SIMULATED if simulated else Source.RECORDING,
            say=_say,
        )
        if not follow:
            normaliser = choose()
            normaliser.run_once()
            done = normaliser.progress
            print_line(f"{done.ticks:,} ticks of the recordings of {_writers(done.shards)}.")
            if uploader is not None:
                _upload(uploader)
            if normaliser.cut:
                raise SystemExit(FAILED)
            return
        _say(f"Following the recordings in {lake.home / 'recordings'} (Ctrl-C stops)")
        take_short_turns()  # what is read goes on while commits are made
        aside = nullcontext() if uploader is None else uploading(uploader)
        with stop_signal() as over, TicksSender(lake.home) as sender, aside:
            in_between = GarbageCollection().collect_now_and_then
            choose(committed=_tell, sender=sender, in_between=in_between).follow(over.is_set, over.wait)


def _upload(uploader: Uploader) -> None:
    """Put into the store what is sealed.

    Raises:
        SystemExit: Some of it could not be.
    """
    asyncio.run(uploader.run_once())
    if done := uploader.uploaded.total():
        print_line(f"{done:,} recording{'' if done == 1 else 's'} put into the store.")
    for error in uploader.failing.values():
        say_error(error)
    if uploader.failing:
        raise SystemExit(FAILED)


def _say(words: str) -> None:
    errors.print(words, highlight=False, markup=False, soft_wrap=True)


def _tell(progress: Progress) -> None:
    behind = "" if progress.behind_s is None else f", {progress.behind_s:,.1f} s behind"
    waits = "" if progress.waits is None else f"; waits: {progress.waits}"
    print_line(f"{progress.ticks:,} ticks of {_writers(progress.shards)}{behind}{waits}")


def _writers(count: int) -> str:
    return f"{count} capture{'' if count == 1 else 's'}"
