from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.capture.test_rest import Asked, host

from aperiodic.capture.clock import Clock
from aperiodic.capture.streams import StreamState, look_at
from aperiodic.market import Exchange
from aperiodic.venues import feed_of

if TYPE_CHECKING:
    from pathlib import Path

FEED = feed_of(Exchange.HYPERLIQUID_PERPS)
CHANNELS = {channel.name: channel for channel in FEED.channels}


def state(channel: str, asked: float = 100.0) -> StreamState:
    return StreamState(FEED.subscription(CHANNELS[channel], "BTC"), asked=asked)


def test_a_stream_is_proven_by_its_first_frame() -> None:
    streams = {"x": state("book")}
    assert not look_at(streams, 101.0).is_settled
    streams["x"].acknowledged = 7
    assert not look_at(streams, 102.0).is_settled
    streams["x"].seen = 1
    found = look_at(streams, 102.5)
    assert (found.live, found.is_settled, streams["x"].first_s) == ({"x": 7}, True, 2.5)
    assert look_at(streams, 103.0).live == {}


def test_an_acknowledged_stream_without_a_frame_is_silent_and_comes_back() -> None:
    streams = {"x": state("book")}
    assert look_at(streams, 103.0).silent == []
    found = look_at(streams, 103.1)
    assert (found.silent, found.is_settled) == ([streams["x"]], True)
    assert look_at(streams, 110.0).silent == []
    streams["x"].seen = 1
    assert look_at(streams, 111.0).live == {"x": 0}
    assert not streams["x"].is_silent


def test_what_was_acknowledged_counts_from_then_unless_its_first_frame_came_later_than_its_pulse() -> None:
    streams = {"book": state("book"), "trades": state("trades")}
    for each in streams.values():
        each.acknowledged = 7
        each.seen = 1
    assert look_at(streams, 111.0).live == {"book": 0, "trades": 7}


def test_a_stream_with_a_pulse_becomes_stale_and_one_without_does_not() -> None:
    streams = {"book": state("book"), "quotes": state("quotes")}
    for each in streams.values():
        each.seen = 1
    look_at(streams, 101.0)
    found = look_at(streams, 120.0)
    assert (found.pulsing, found.stale) == (1, 0)
    found = look_at(streams, 121.1)
    assert (found.pulsing, found.stale, found.silent) == (1, 1, [streams["book"]])
    assert not streams["quotes"].is_silent


def test_a_step_of_the_clock_is_written_down(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(tmp_path, ["http://127.0.0.1:1"], [])
    clock = Clock(FEED, asked.rest, asked.recorder, asked.said.append)
    clock.look()
    assert not asked.lines()
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 2_000_000_000)
    clock.look()
    clock.look()
    (line,) = asked.lines()
    assert b" - !clock {" in line
    step = int(line.rpartition(b":")[2].rstrip(b"}"))
    assert abs(step + 2_000_000) < 50_000
    assert clock.steps == 1
    assert "-2.0" in asked.said[0]


@pytest.mark.parametrize(("hours", "side"), [(2, " s behind that of"), (-2, " s ahead of that of"), (0, "")])
async def test_a_clock_that_is_far_off_is_told_in_words(tmp_path: Path, hours: int, side: str) -> None:
    now = time.time_ns() // 1_000_000 + hours * 3_600_000
    async with host(tmp_path, (200, {}, b'{"time":%d}' % now)) as asked:
        clock = Clock(FEED, asked.rest, asked.recorder, asked.said.append)
        await clock.measure()
        assert clock.offset_us is not None
        assert abs(clock.offset_us - hours * 3_600_000_000) < 30_000_000
        told = [each for each in asked.said if "CLOCK" in each]
    assert [side in each for each in told] == ([True] if side else [])
