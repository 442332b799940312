"""One host of several that share a ledger and a bucket, in a process of its own, to be stopped, killed and set wrong.

Arguments: role (`record` or `build`), name of the host, home, seconds that a lease lasts, then for `record` files, for `build`
a file that appears when no ticks come any more and symbols. The signal USR1 sets its clock by some hours.
"""

from __future__ import annotations

import random
import signal
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aperiodic.engine.build import build
from aperiodic.engine.importing import import_recordings
from aperiodic.engine.plan import Selection
from aperiodic.lake import Lake, LakeError, Settings, leases
from aperiodic.market import Exchange, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable

_OTHERS_FIRST = ("busy", "lease_lost")
_HOUR_NS = 3_600_000_000_000


def become(name: str, lasts_s: float) -> None:
    """Be a host of that name: nobody else can see whether this process lives."""
    leases._host = lambda: name  # type: ignore[assignment]
    leases.LASTS_S = lasts_s  # type: ignore[misc]
    leases._RENEWED_S = lasts_s / 4  # type: ignore[misc]
    right, wrong = time.time_ns, [0]
    time.time_ns = lambda: right() + wrong[0]

    def step(*_: Any) -> None:
        wrong[0] = random.choice((-30, -1, 1, 30)) * _HOUR_NS  # noqa: S311 - how wrong a clock is

    signal.signal(signal.SIGUSR1, step)


def again_until_done(work: Callable[[], object]) -> None:
    """Do some work, again while others are at it; say why."""
    while True:
        try:
            work()
        except LakeError as error:
            if error.code not in _OTHERS_FIRST:
                raise
            print(error.code, flush=True)  # noqa: T201 - read by the test
            time.sleep(0.1)
        else:
            return


def record(lake: Lake, files: list[Path]) -> None:
    """Import recordings one after the other."""
    for file in files:
        again_until_done(lambda: import_recordings(lake, Exchange.BINANCE_FUTURES, [file]))  # noqa: B023 - at once


def keep_built(lake: Lake, over: Path, symbols: list[Symbol]) -> None:
    """Build what there is until nothing comes any more."""
    last = False
    while not last:
        last = over.exists()
        for symbol in symbols:
            again_until_done(lambda: build(lake, Selection(symbol=symbol)))  # noqa: B023 - at once


def main() -> None:
    """Be the host that the arguments describe."""
    role, name, home, lasts_s, *rest = sys.argv[1:]
    become(name, float(lasts_s))
    with closing(Lake.open(Settings(home=Path(home)))) as lake:
        print("ready", flush=True)  # noqa: T201 - read by the test
        if role == "record":
            record(lake, [Path(file) for file in rest])
        else:
            keep_built(lake, Path(rest[0]), [Symbol.parse(symbol) for symbol in rest[1:]])
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # while the interpreter ends, it would end it


if __name__ == "__main__":
    main()
