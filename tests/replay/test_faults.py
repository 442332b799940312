"""Seeded faults: what the ledger says is missing is what the mock says was lost.

Asserted is what does not depend on how busy the machine is; `python -m tests.replay.faults` prints and judges all
figures, the times of resyncs too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.replay.faults import run
from tests.soak import SOAK

if TYPE_CHECKING:
    from pathlib import Path

FAULTS: Final = 200 if SOAK > 1 else 8
HOLDS: Final = (
    "lost though sent over a connection that lived",
    "lost frames that no gap tells of",
    "gaps with more than one frame inside",
    "requests before Retry-After",
    "most weight used, of what is allowed",
    "snapshots a book that broke",
)


async def test_gaps_are_what_was_lost_and_requests_keep_to_the_limits(tmp_path: Path) -> None:
    judged = await run(tmp_path, 1, FAULTS, calm_s=4.0 if SOAK > 1 else 2.0)
    assert sum(sum(each.kinds.values()) for each in judged) == FAULTS
    assert all(each.figures["frames told"] > 100 for each in judged)
    assert sum(each.figures["frames lost on the way"] for each in judged) > 0
    assert [each.table() for each in judged if each.wrong.keys() & set(HOLDS)] == []
