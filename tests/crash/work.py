"""Imports and builds in a process of its own, to be killed. Arguments: home, number of workers, files."""

from __future__ import annotations

import sys
from pathlib import Path

from aperiodic.engine.build import build
from aperiodic.engine.importing import import_recordings
from aperiodic.lake import Lake, Settings
from aperiodic.market import Exchange


def work(home: Path, files: list[Path], workers: int = 1) -> None:
    """Do the whole job."""
    lake = Lake.open(Settings(home=home))
    import_recordings(lake, Exchange.BINANCE_FUTURES, files)
    build(lake, workers=workers)
    lake.close()


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    work(Path(sys.argv[1]), [Path(name) for name in sys.argv[3:]], int(sys.argv[2]))
