from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.capture.scripted import ScriptedBinance, running

from aperiodic.capture.check import check
from aperiodic.capture.errors import CaptureError
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
    monkeypatch.setattr("aperiodic.capture.streams._first_s", lambda channel: channel.first_s and 0.3)
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
    assert len(set(report.said)) == len(report.said)
    assert not report.is_reached


async def test_a_stream_that_is_not_overdue_is_not_called_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = ScriptedBinance()
    venue.silent.add("btcusdt@trade")
    async with running(venue, monkeypatch):
        report = await checked(tmp_path, 1.0, "trades")
    assert [each.verdict for each in report.channels] == ["1 of 1 brought nothing yet: listen for more than 30 s"]
    assert report.is_reached
    assert not report.is_good


async def test_a_symbol_that_is_not_listed_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = CaptureSettings(home=tmp_path, capture_disk_floor_bytes=0)
    async with running(ScriptedBinance(), monkeypatch):
        report = await check(
            Exchange.BINANCE_FUTURES, ["BTCUSDT", "NOSUCH"], settings, channels=["mark_price"], seconds=1.0
        )
    assert [each.verdict for each in report.channels] == ["ok"]
    assert report.unlisted == ("NOSUCH",)
    assert not report.is_good


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
    assert "No host of the venue answered" in told
    assert not (tmp_path / "home").exists()


def test_contradictions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APERIODIC_HOME", str(tmp_path))
    with pytest.raises(InvalidInputError, match="--all and --symbols"):
        capturing.capture(exchange=Exchange.BINANCE_FUTURES, symbols=[BTC], all=True)
    with pytest.raises(InvalidInputError, match="no name of a shard"):
        capturing.capture(exchange=Exchange.BINANCE_FUTURES, shard="A-1")
    with pytest.raises(InvalidInputError, match="channel"):
        capturing.capture(exchange=Exchange.BINANCE_FUTURES, channels=["tradez"])


@pytest.mark.parametrize(
    ("name", "address", "words"),
    [
        ("WS_BINANCE_FUTURES_PUBLIC", "nonsense", "APERIODIC_WS_BINANCE_FUTURES_PUBLIC is no address: 'nonsense'"),
        ("WS_BINANCE_FUTURES_PUBLIC", "https://fstream.binance.com", "begins with wss://"),
        ("WS_BINANCE_FUTURES_MARKET", "ws://", "is no address"),
        ("WS_BINANCE_FUTURES_MARKET", "ws://host:port", "is no address"),
        ("REST_BINANCE_FUTURES", "wss://fapi.binance.com", "begins with https://"),
        ("WS_BINANCE_FUTURES_PUBLIK", "ws://127.0.0.1:1", "Did you mean APERIODIC_WS_BINANCE_FUTURES_PUBLIC?"),
    ],
)
async def test_a_setting_that_leads_nowhere_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, address: str, words: str
) -> None:
    monkeypatch.setenv(f"APERIODIC_{name}", address)
    with pytest.raises(InvalidInputError) as raised:
        await checked(tmp_path, 1.0)
    assert raised.value.code == "bad_setting"
    assert words in str(raised.value)


async def test_the_settings_of_other_venues_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APERIODIC_WS_OKX_PERPS_PUBLIC", "nonsense")
    async with running(ScriptedBinance(), monkeypatch):
        assert (await checked(tmp_path, 1.0, "mark_price")).is_good


def test_a_home_that_cannot_be_written_is_told_before_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("APERIODIC_HOME", str(tmp_path / "file"))
    with pytest.raises(InvalidInputError, match="Nothing can be written in") as raised:
        capturing.capture(exchange=Exchange.BINANCE)
    assert raised.value.code == "home_unavailable"


def test_a_venue_that_lists_none_of_the_symbols_ends_with_its_own_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APERIODIC_HOME", str(tmp_path))

    async def refuse(*_: object, **__: object) -> None:
        raise CaptureError("It lists none.", code="not_listed")

    monkeypatch.setattr(capturing, "run_capture", refuse)
    with pytest.raises(SystemExit) as end:
        capturing.capture(exchange=Exchange.BINANCE)
    assert end.value.code == 69
