"""Tasks that do nothing, and many ticks that are in the ledger only: what planning and running cost by themselves."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert

from aperiodic.lake.ledger import begin_write
from aperiodic.lake.schema import objects

if TYPE_CHECKING:
    from aperiodic.engine.executors.tasks import Task, Written
    from aperiodic.lake import Lake

_FIRST: Final = date(2025, 5, 1)
_AT_ONCE: Final = 1_000


def nothing(_store_url: str, _task: Task) -> Written:
    """Write nothing."""
    return []


def note_process(store_url: str, _task: Task) -> Written:
    """Add the number of the process to a file."""
    with Path(store_url).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return []


def end(_store_url: str, _task: Task) -> Written:
    """End the process, as a killed one does."""
    os._exit(9)


def add_instruments(lake: Lake, first: int, count: int, days: int = 1) -> None:
    """Tell the ledger of trades of many instruments that the store does not have."""
    rows = []
    for number in range(first, first + count):
        for day in (_FIRST + timedelta(days=days_on) for days_on in range(days)):
            begin = (day - date(1970, 1, 1)).days * 86_400_000_000
            bounds = {f"first_{clock}": begin for clock in ("exchange", "local")}
            bounds |= {f"last_{clock}": begin + 1_000_000 for clock in ("exchange", "local")}
            name = f"perpetual-C{number}-USDT:USDT"
            key = {"kind": "ticks", "dataset": "trades", "exchange": "binance-futures", "symbol": name}
            rows.append(
                {
                    **key,
                    **bounds,
                    **dict.fromkeys(("clock", "interval"), ""),
                    "period": f"{day}",
                    "path": f"ticks/{name}/{day}",
                    "revision": 1,
                    "size": 1_000,
                    "rows": 1,
                    "sha256": f"{number:064d}",
                    "source": "simulated",
                    "fingerprint": "",
                    "reason": "test",
                    "created_at": begin,
                    "is_current": True,
                }
            )
    with begin_write(lake.engine) as connection:
        for begin in range(0, len(rows), _AT_ONCE):
            connection.execute(insert(objects), rows[begin : begin + _AT_ONCE])
