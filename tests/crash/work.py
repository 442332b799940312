"""Imports, builds and a backup in a process of its own, to be killed. Arguments: home, workers, symbol, files."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from aperiodic.engine.build import build
from aperiodic.engine.importing import import_recordings
from aperiodic.engine.plan import Selection
from aperiodic.lake import Lake, Settings
from aperiodic.lake.backup import back_up
from aperiodic.market import Exchange, Symbol


def work(home: Path, symbol: str, files: list[Path], workers: int = 1) -> None:
    """Do the whole job of one symbol."""
    settings = Settings(home=home)
    with closing(Lake.open(settings)) as lake:
        import_recordings(lake, Exchange.BINANCE_FUTURES, files)
        build(lake, Selection(symbol=Symbol.parse(symbol)), workers=workers)
    back_up(settings.ledger_url, home / f"{files[0].parent.name}.backup", replace=True)


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    work(Path(sys.argv[1]), sys.argv[3], [Path(name) for name in sys.argv[4:]], int(sys.argv[2]))
