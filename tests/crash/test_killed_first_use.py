"""`kill -9` at each step of the first use of a store: the next opening goes on, and both name the same store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from aperiodic.lake import Lake, Settings, Store
from aperiodic.lake.own_store import own_store_of
from aperiodic.lake.presence import MARK

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.crash

STEPS = {
    "the folder is made": ("aperiodic.lake.store.Store", "make"),
    "the mark is written": ("aperiodic.lake.presence.Presence", "write"),
    "the mark has its name": ("aperiodic.lake.presence", "_place"),
    "the ledger knows of the mark": ("aperiodic.lake.own_store", "_note_mark"),
}
PROGRAM = """
import os, pydoc, signal, sys
from pathlib import Path
from aperiodic.lake import Lake, Settings

owner, name, when = pydoc.locate(sys.argv[2]), sys.argv[3], sys.argv[4]
honest = getattr(owner, name)

def killed(*arguments, **options):
    if when == "after":
        honest(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, killed)
Lake.open(Settings(home=Path(sys.argv[1])))
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_the_first_use_ends_well(tmp_path: Path, step: str, when: str) -> None:
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home), *STEPS[step], when], check=False, env=os.environ, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    settings = Settings(home=home)
    for _ in range(2):
        with closing(Lake.open(settings)) as lake:
            lake.store.put("ticks/one", b"content")
    own = own_store_of(settings.ledger_url)
    assert own is not None
    assert (own.store_id, own.is_marked) == (Store(settings.store_url).presence.read(), True)
    assert {path.name for path in (home / "store").iterdir() if ".part" not in path.name} == {MARK, "ticks"}
    assert Store(settings.store_url).paths() == ["ticks/one"]
