"""What the mock exchange says that it sent is what was recorded, whatever goes wrong meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.capture.test_session import lines, until
from tests.mock.market import FUTURES, HYPERLIQUID, OKX, mocking

from aperiodic.capture.plan import choose_channels
from aperiodic.capture.session import Session
from aperiodic.capture.settings import CaptureSettings
from aperiodic.mock import Fault
from aperiodic.venues import feed_of
from aperiodic.venues.feed import FrameKind

if TYPE_CHECKING:
    from pathlib import Path

    from aperiodic.market import Exchange

CHANNELS = {FUTURES: ("trades", "book"), OKX: ("book", "mark_price"), HYPERLIQUID: ("trades", "book")}


_IN_FLIGHT = 3
"""A frame may be under way when a connection is cut without a word."""


def faults(exchange: Exchange) -> tuple[Fault, ...]:
    scripted = [
        Fault(at=0.5, exchange=exchange, kind="new_field", seconds=0.3),
        Fault(at=0.8, exchange=exchange, kind="duplicate", count=2),
        Fault(at=1.0, exchange=exchange, kind="disconnect"),
        Fault(at=2.5, exchange=exchange, kind="html", count=1),
        Fault(at=2.6, exchange=exchange, kind="disconnect", code=1001),
        Fault(at=2.6, exchange=exchange, kind="refuse", seconds=0.5),
    ]
    if exchange != HYPERLIQUID:
        scripted.append(Fault(at=4.0, exchange=exchange, kind="shutdown", seconds=2.0))
    return tuple(scripted)


@pytest.mark.parametrize("exchange", [FUTURES, OKX, HYPERLIQUID])
async def test_every_frame_that_was_sent_is_recorded(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aperiodic.capture.dialling.DialBudget.take", lambda _: 0.0)
    feed = feed_of(exchange)
    async with mocking(tmp_path, exchange, faults=faults(exchange), seconds=7.0) as client:
        for name, address in client.mock.environment().items():
            monkeypatch.setenv(name, address)
        settings = CaptureSettings(
            home=tmp_path / "home", capture_disk_floor_bytes=0, capture_most_wait_s=0.1, capture_overlap_s=0.3
        )
        session = Session(feed, settings, choose_channels(feed, CHANNELS[exchange]), feed.majors[:1])
        task = asyncio.create_task(session.run())
        try:
            await until(lambda: session.recorder.frames)
            await client.mock.finished()
            await asyncio.sleep(0.3)
        finally:
            session.stop()
            await task
        truth = client.mock.truth.lines
    sent = Counter(line["stream"] for line in truth if line["what"] == "sent" and line.get("note") != "backlog")
    recorded = Counter(
        told.name
        for _, _, said in lines(tmp_path / "home")
        if not said.startswith("!") and (told := feed.read(said.encode())).kind is FrameKind.DATA
    )
    assert sum(keeper.dials for keeper in session.keepers) >= 3
    assert sum(sent.values()) > 100
    for stream, count in sent.items():
        assert recorded[stream] >= count - _IN_FLIGHT, (stream, count, recorded[stream], session.said)
    if exchange != HYPERLIQUID:
        assert sum(keeper.handed_over for keeper in session.keepers) >= 1
