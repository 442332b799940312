"""A real server in a process of its own, over a lake that a test has filled."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aperiodic
from aperiodic.lake import Lake, Settings
from aperiodic.lake.keys import create_key
from aperiodic.lake.ledger import begin_write
from aperiodic.server import Secrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

_RUN = """
import sys
from pathlib import Path
from aperiodic.lake import Settings
from aperiodic.server import serve
serve(Settings(home=Path(sys.argv[1])), "127.0.0.1", 0, lambda url: print(url, flush=True))
"""


@dataclass(frozen=True)
class Api:
    """Address of a running server, and a key of the largest plan."""

    url: str
    key: str

    def metrics(self, metric: Any, **parameters: Any) -> pl.DataFrame:
        """Fetch a dataset through the SDK; gaps and missing days are what these tests are made of."""
        frame: pl.DataFrame = aperiodic.get_metrics(
            self.key, metric=metric, base_url=self.url, show_progress=False, on_incomplete="ignore", **parameters
        )
        return frame


def make_key(home: Path, plan: str = "prime") -> str:
    """Make a key in the installation at `home`."""
    settings = Settings(home=home)
    lake = Lake.open(settings)
    with begin_write(lake.engine) as connection:
        key = create_key(connection, Secrets.load(settings).pepper, plan, "test")
    lake.close()
    return key


@contextmanager
def serving(home: Path) -> Iterator[Api]:
    """Serve the installation at `home` on a free port of this host."""
    key = make_key(home)
    process = subprocess.Popen([sys.executable, "-c", _RUN, str(home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        try:
            yield Api(f"{process.stdout.readline().strip()}/api/v1", key)
        finally:
            process.terminate()
