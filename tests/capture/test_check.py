from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.capture.scripted import ScriptedBinance, running

from aperiodic.capture.check import check
from aperiodic.capture.settings import CaptureSettings
from aperiodic.cli import capturing
from aperiodic.market import Exchange, InvalidInputError, Symbol

if TYPE_CHECKING:
    from pathlib import Path

    from aperiodic.capture.check import Report

BTC = Symbol.parse("perpetual-BTC-USDT:USDT")


async def checked(home: Path, seconds: float, *channels: str) -> Report:
    settings = CaptureSettings(home=home, capture_disk_floor_bytes=0)
    return await check(Exchange.BINANCE_FUTURES, ["BTCUSDT"], settings, channels=channels, seconds=seconds)


async def test_a_working_venue_gets_a_good_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(ScriptedBinance(), monkeypatch):
        report = await checked(tmp_path, 1.5)
    assert [each.channel for each in report.channels] == ["trades", "quotes", "book", "mark_price"]
    for each in report.channels:
        assert each.is_good, each
        assert (each.streams, each.proven, each.breaks) == (1, 1, 0)
        assert each.frames > 10
        assert each.first_s is not None
        assert not each.unknown
    assert report.clock_offset_ms is not None
    assert report.rest_asked >= 3


async def test_unknown_fields_missing_numbers_and_silence_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = ScriptedBinance()
    venue.silent |= {"btcusdt@trade", "btcusdt@bookTicker"}

    async def speak(connection: Any) -> None:
        async def later() -> None:
            await asyncio.sleep(0.3)
            for number in (1, 2, 5, 4):
                data = {"e": "trade", "t": number, "brand_new": {"x": 1}}
                await connection.send(json.dumps({"stream": "btcusdt@trade", "data": data}))

        if "public" in connection.request.path:
            tasks.append(asyncio.create_task(later()))

    tasks: list[asyncio.Task[None]] = []
    venue.on_connection = speak
    async with running(venue, monkeypatch):
        report = await checked(tmp_path, 1.5, "trades", "quotes")
    trades, quotes = report.channels
    assert trades.unknown == ("brand_new", "brand_new.x")
    assert trades.breaks == 1
    assert trades.verdict == "numbers were missing 1 times"
    assert quotes.verdict == "silent (1 of 1 acknowledged)"


async def test_a_venue_that_cannot_be_reached_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WS_BINANCE_FUTURES_PUBLIC", "WS_BINANCE_FUTURES_MARKET", "REST_BINANCE_FUTURES"):
        monkeypatch.setenv(f"APERIODIC_{name}", "ws://127.0.0.1:1" if name.startswith("WS") else "http://127.0.0.1:1")
    report = await checked(tmp_path, 3.0, "quotes")
    assert [each.verdict for each in report.channels] == ["never connected"]
    assert any("cannot be reached" in words for words in report.said)


def test_the_command_prints_a_table_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APERIODIC_HOME", str(tmp_path / "home"))
    for name in ("WS_BINANCE_WS", "REST_BINANCE"):
        monkeypatch.setenv(f"APERIODIC_{name}", "ws://127.0.0.1:1" if name.startswith("WS") else "http://127.0.0.1:1")
    with pytest.raises(SystemExit) as end:
        capturing.capture(exchange=Exchange.BINANCE, check=True, seconds=0.2)
    assert end.value.code == 1
    told = capsys.readouterr().out
    assert "binance, listened for 0.2 s" in told
    assert "never connected" in told
    assert "the venue does not tell its time" in told
    assert not (tmp_path / "home").exists()


def test_contradictions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APERIODIC_HOME", str(tmp_path))
    with pytest.raises(InvalidInputError, match="--all and --symbols"):
        capturing.capture(exchange=Exchange.BINANCE_FUTURES, symbols=[BTC], all=True)
    with pytest.raises(InvalidInputError, match="no name of a shard"):
        capturing.capture(exchange=Exchange.BINANCE_FUTURES, shard="A-1")
    with pytest.raises(InvalidInputError, match="channel"):
        capturing.capture(exchange=Exchange.BINANCE_FUTURES, channels=["tradez"])
