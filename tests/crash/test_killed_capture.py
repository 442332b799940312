"""`aperiodic capture` is killed at any time: what it leaves is whole, and the next one seals it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from contextlib import asynccontextmanager, closing
from statistics import median
from typing import TYPE_CHECKING

import pytest
from tests.capture.scripted import ScriptedBinance, depth, running
from tests.replay.pipeline import normalised, numbers_missing
from tests.soak import SOAK, time_is_up

from aperiodic.lake.blocks import whole_blocks
from aperiodic.lake.recordings import list_recordings, read_sidecar, recover
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aperiodic.lake.recordings import Recording

COMMAND = "from aperiodic.cli import main; main()"


def numbers(recording: Recording) -> list[int]:
    """Return the numbers of the book's updates, after making sure that every byte is part of a whole block."""
    with recording.path.open("rb") as file:
        end, text = 0, b""
        for end, lines in whole_blocks(file):  # noqa: B007 - the last one is wanted
            text += lines
    assert end == recording.path.stat().st_size
    frames = [line.split(b" ", 2)[2] for line in text.splitlines()]
    return [json.loads(frame)["data"]["u"] for frame in frames if frame.startswith(b'{"stream":"btcusdt@depth')]


@asynccontextmanager
async def capturing(venue: ScriptedBinance, home: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the command, and wait until it is connected."""
    dials = venue.dials
    environment = {**os.environ, "APERIODIC_HOME": str(home), "APERIODIC_CAPTURE_DISK_FLOOR_BYTES": "0"}
    words = ["capture", "--exchange", "binance-futures", "--symbols", "perpetual-BTC-USDT:USDT", "--channels", "book"]
    capture = await asyncio.create_subprocess_exec(
        sys.executable, "-c", COMMAND, *words, env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(60):
            while venue.dials == dials:  # noqa: ASYNC110 - it looks from outside
                await asyncio.sleep(0.01)
        yield capture
    finally:
        if capture.returncode is None:
            capture.kill()
        await capture.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_seals_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    venue = ScriptedBinance()
    async with running(venue, monkeypatch), capturing(venue, tmp_path) as capture:
        await asyncio.sleep(0.5)
        capture.send_signal(number)
        async with asyncio.timeout(30):
            assert await capture.wait() == 0
    (recording,) = list_recordings(tmp_path, Exchange.BINANCE_FUTURES)
    told = read_sidecar(recording)
    assert told is not None
    assert not told.recovered
    assert numbers(recording)
    assert recover(tmp_path) == []


@pytest.mark.crash
async def test_a_killed_capture_leaves_whole_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = ScriptedBinance()
    chance = random.Random(5 if SOAK == 1 else time.time_ns())  # noqa: S311 - moments to kill at
    starts: list[float] = []
    lost: list[int] = []
    async with running(venue, monkeypatch):
        for _ in range(3 * SOAK):
            if time_is_up():
                break
            began = time.monotonic()
            async with capturing(venue, tmp_path) as capture:
                starts.append(time.monotonic() - began)
                await asyncio.sleep(chance.uniform(0, 1.5))
                reached = venue.number
                capture.send_signal(signal.SIGKILL)
            for recording, _ in recover(tmp_path):
                lost += [reached - found[-1]] if (found := numbers(recording)) else []
            reached = venue.number
            for recording in list_recordings(tmp_path, Exchange.BINANCE_FUTURES):
                assert not recording.is_open
                told = read_sidecar(recording)
                assert told is not None
                assert told.recovered
                found = numbers(recording)
                if found:
                    assert found == list(range(found[0], found[-1] + 1))
                    assert found[-1] <= reached
    held = sorted({n for each in list_recordings(tmp_path, Exchange.BINANCE_FUTURES) for n in numbers(each)})
    assert held
    with closing(normalised(tmp_path)) as lake:
        gaps = numbers_missing(lake, Exchange.BINANCE_FUTURES, ("book", "perpetual-BTC-USDT:USDT"))
    missing = set(range(held[0], held[-1])).difference(held)
    outside = [n for n in missing if not any(after < n <= before for after, before in gaps)]
    size = len(depth("btcusdt@depth@0ms", held[-1]))
    figures = f"{len(starts)} kills; started and connected in {median(starts):.2f} s, most {max(starts):.2f} s"
    ends = f"lost at the end: {max(lost)} updates of {size} bytes at most" if lost else "nothing was recorded"
    sys.stdout.write(
        f"{figures}; {ends}; {len(missing)} missing between recordings, {len(outside)} of them outside gaps\n"
    )
    assert outside == []
