"""What programs tell of open days that they cannot read, and that stale, foreign and damaged files say nothing."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from tests.lakes import BTC, VENUE

from aperiodic.engine.days_told import read_told, tell
from aperiodic.lake import LakeError

if TYPE_CHECKING:
    from pathlib import Path

LOST = {(VENUE, BTC): LakeError("The object x is gone.", code="object_missing", hint="Do y.")}


def test_what_is_told_is_read(tmp_path: Path) -> None:
    tell(tmp_path, "live", (), LOST)
    tell(tmp_path, "build", [VENUE], {})
    build, live = read_told(tmp_path)
    assert (build.program, build.count, build.unreadable) == (f"build-{VENUE}", 0, [])
    (each,) = live.unreadable
    assert (live.program, live.count) == ("live", 1)
    assert (each.exchange, each.symbol, each.code) == (VENUE, str(BTC), "object_missing")
    tell(tmp_path, "live", (), {})
    assert [told.count for told in read_told(tmp_path)] == [0, 0]


def test_a_disk_that_refuses_ends_nobody(tmp_path: Path) -> None:
    (tmp_path / "open_days").write_bytes(b"no folder")
    tell(tmp_path, "live", (), LOST)
    assert read_told(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"program": 5}', b"\xff\xfe"])
def test_what_cannot_be_read_is_left_out(tmp_path: Path, content: bytes) -> None:
    tell(tmp_path, "build", (), {})
    (tmp_path / "open_days" / "live.json").write_bytes(content)
    assert [told.program for told in read_told(tmp_path)] == ["build"]


@pytest.mark.parametrize("off_s", [-120, 120])
def test_what_was_told_at_another_time_is_not_of_now(tmp_path: Path, off_s: int) -> None:
    tell(tmp_path, "live", (), LOST)
    path = tmp_path / "open_days" / "live.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"time": time.time() + off_s}))
    assert read_told(tmp_path) == []
