"""`aperiodic capture` is killed at any time: what it leaves is whole, and the next one seals it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from tests.capture.scripted import ScriptedBinance, running
from tests.soak import SOAK, time_is_up

from aperiodic.lake.recordings import list_recordings, read_sidecar, recover, whole_blocks
from aperiodic.market import Exchange

if TYPE_CHECKING:
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


@pytest.mark.crash
async def test_a_killed_capture_leaves_whole_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = ScriptedBinance()
    chance = random.Random(5)  # noqa: S311 - moments to kill at
    async with running(venue, monkeypatch):
        environment = {**os.environ, "APERIODIC_HOME": str(tmp_path), "APERIODIC_CAPTURE_DISK_FLOOR_BYTES": "0"}
        words = [
            "capture",
            "--exchange",
            "binance-futures",
            "--symbols",
            "perpetual-BTC-USDT:USDT",
            "--channels",
            "book",
        ]
        for _ in range(3 * SOAK):
            if time_is_up():
                break
            dials = venue.dials
            capture = await asyncio.create_subprocess_exec(
                sys.executable, "-c", COMMAND, *words, env=environment, stderr=asyncio.subprocess.DEVNULL
            )
            async with asyncio.timeout(60):
                while venue.dials == dials:  # noqa: ASYNC110 - it looks from outside
                    await asyncio.sleep(0.01)
            await asyncio.sleep(chance.uniform(0, 1.5))
            capture.send_signal(signal.SIGKILL)
            await capture.wait()
            reached = venue.number
            recover(tmp_path)
            for recording in list_recordings(tmp_path, Exchange.BINANCE_FUTURES):
                assert not recording.is_open
                told = read_sidecar(recording)
                assert told is not None
                assert told.recovered
                found = numbers(recording)
                if found:
                    assert found == list(range(found[0], found[-1] + 1))
                    assert found[-1] <= reached
    assert any(numbers(recording) for recording in list_recordings(tmp_path, Exchange.BINANCE_FUTURES))
