from __future__ import annotations

import asyncio
import dataclasses
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.capture.scripted import ScriptedBinance, depth, running

from aperiodic.capture.connection import Stage
from aperiodic.capture.errors import CaptureError
from aperiodic.capture.plan import choose_channels
from aperiodic.capture.session import Session
from aperiodic.capture.settings import CaptureSettings
from aperiodic.lake.blocks import whole_blocks
from aperiodic.lake.recordings import list_recordings, read_sidecar
from aperiodic.market import Exchange
from aperiodic.venues import feed_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


FEED = feed_of(Exchange.BINANCE_FUTURES)


@asynccontextmanager
async def capturing(
    home: Path, *channels: str, natives: tuple[str, ...] = ("BTCUSDT",), **settings: Any
) -> AsyncIterator[Session]:
    told = CaptureSettings(home=home, capture_disk_floor_bytes=0, **settings)
    session = Session(FEED, told, choose_channels(FEED, channels), natives)
    task = asyncio.create_task(session.run())
    try:
        yield session
    finally:
        session.stop()
        await task


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not what():  # noqa: ASYNC110 - it looks from outside
            await asyncio.sleep(0.01)


def lines(home: Path) -> list[tuple[int, str, str]]:
    read = []
    for recording in list_recordings(home):
        with recording.path.open("rb") as file:
            text = b"".join(block for _, block in whole_blocks(file))
        for line in text.splitlines():
            stamp, conn, said = line.decode().split(" ", 2)
            read.append((int(stamp), conn, said))
    return read


def words(home: Path, word: str) -> list[dict[str, Any]]:
    return [json.loads(said.split(" ", 1)[1]) for _, _, said in lines(home) if said.startswith(f"!{word} ")]


async def test_frames_become_a_sealed_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(ScriptedBinance(), monkeypatch), capturing(tmp_path) as session:
        await until(
            lambda: session.keepers and all(each.current and each.current.is_settled for each in session.keepers)
        )
        await until(
            lambda: session.books.snapshots and not session.books.unknown and session.clock.offset_us is not None
        )
        await asyncio.sleep(0.3)
    (recording,) = list_recordings(tmp_path)
    told = read_sidecar(recording)
    assert told is not None
    assert not told.recovered
    read = lines(tmp_path)
    frames = [said for _, _, said in read if said.startswith("{")]
    assert told.frames == len(frames) == session.recorder.frames
    assert told.streams == ("btcusdt@bookTicker", "btcusdt@depth@0ms", "btcusdt@markPrice@1s", "btcusdt@trade")
    assert (told.first_ns, told.last_ns) == (read[0][0], max(stamp for stamp, _, _ in read))
    assert {each["class"] for each in words(tmp_path, "open")} == {"public", "market"}
    assert sorted(name for each in words(tmp_path, "live") for name in each["streams"]) == sorted(told.streams)
    assert all(each == {"code": 1000, "reason": "capture ends", "by": "us"} for each in words(tmp_path, "close"))
    rest = [said.split(" ")[1:3] for _, _, said in read if said.startswith("!rest ")]
    paths = [(url.partition("/fapi")[2], status) for url, status in rest]
    assert paths[0] == ("/v1/exchangeInfo", "200")
    assert paths.count(("/v1/depth?symbol=BTCUSDT&limit=1000", "200")) == session.books.snapshots == 1
    (clock,) = words(tmp_path, "clock")
    assert abs(clock["offset_us"]) < 1_000_000
    numbers = [json.loads(said)["data"]["u"] for said in frames if "@depth" in said[:40]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_a_break_of_one_book_asks_for_one_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = ScriptedBinance()
    async with running(venue, monkeypatch), capturing(tmp_path, "book", natives=("BTCUSDT", "ETHUSDT")) as session:
        await until(lambda: session.books.snapshots == 2 and not session.books.unknown)
        venue.withheld.add(venue.number + 3)
        await until(lambda: session.books.resyncs >= 2 and not session.books.unknown)
    assert session.books.broken == {"BTCUSDT": 1, "ETHUSDT": 1}
    assert session.books.snapshots == 4


async def test_a_frame_that_was_cut_breaks_its_book_although_its_numbers_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = ScriptedBinance()
    async with running(venue, monkeypatch), capturing(tmp_path, "book") as session:
        await until(lambda: session.books.snapshots == 1 and not session.books.unknown)
        number = venue.number + 3
        venue.withheld.add(number)
        await until(lambda: venue.number >= number - 1)
        await venue.sockets[0].send(depth("btcusdt@depth@0ms", number)[:-12], text=True)
        await until(lambda: session.books.resyncs and not session.books.unknown)
    assert session.books.broken == {"BTCUSDT": 1}
    assert session.books.snapshots == 2


async def test_a_lost_connection_is_dialled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = ScriptedBinance()
    async with running(venue, monkeypatch), capturing(tmp_path, "quotes", capture_most_wait_s=0.05) as session:
        await until(lambda: session.recorder.frames > 20)
        venue.sockets[0].transport.abort()
        await until(lambda: venue.dials == 2 and session.keepers[0].current and session.keepers[0].current.data)
    first, second = words(tmp_path, "close")
    assert (first["code"], first["by"]) == (1006, "venue")
    assert second["by"] == "us"


async def test_a_successor_takes_over_without_a_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = ScriptedBinance()
    async with (
        running(venue, monkeypatch),
        capturing(tmp_path, "book", "mark_price", capture_hand_over_s=1.0, capture_overlap_s=0.2) as session,
    ):
        await until(lambda: sum(keeper.handed_over for keeper in session.keepers) >= 4)
    assert session.books.resyncs == 0
    assert session.books.snapshots == 1
    depth = [(conn, json.loads(said)["data"]["u"]) for _, conn, said in lines(tmp_path) if '"depthUpdate"' in said]
    numbers = [number for _, number in depth]
    assert set(numbers) == set(range(numbers[0], max(numbers) + 1))
    assert len(numbers) > len(set(numbers))  # both recorded
    assert len({conn for conn, _ in depth}) > 1
    assert "handed over" in {each["reason"] for each in words(tmp_path, "close")}


async def test_a_stream_that_is_slow_to_be_proven_keeps_no_other_hand_over_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = ScriptedBinance()
    async with (
        running(venue, monkeypatch),
        capturing(tmp_path, "book", "mark_price", capture_hand_over_s=1.0, capture_overlap_s=0.2) as session,
    ):
        await until(lambda: len(session.keepers) == 2)
        slow, other = sorted(session.keepers, key=lambda keeper: keeper.planned.host != "market")
        await until(lambda: slow.current is not None and slow.current.stage is Stage.LIVE)
        venue.silent = {"market"}
        await until(lambda: slow.successor is not None and slow.successor.opened and not slow.successor.proven)
        before = slow.handed_over, other.handed_over
        await until(lambda: other.handed_over >= before[1] + 2)
        assert slow.handed_over == before[0]


async def test_an_announced_shutdown_is_answered_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = ScriptedBinance()
    async with running(venue, monkeypatch), capturing(tmp_path, "quotes", capture_overlap_s=0.1) as session:
        await until(lambda: session.recorder.frames > 10)
        await venue.sockets[0].send('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}')
        await until(lambda: session.keepers[0].handed_over == 1)
    assert venue.dials == 2


async def test_a_silent_class_of_host_is_named_and_another_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = ScriptedBinance()
    venue.silent.add("btcusdt@depth@0ms")
    feed = FEED
    channels = {channel.name: channel for channel in feed.channels}
    monkeypatch.setattr("aperiodic.capture.streams._first_s", lambda channel: channel.first_s and 0.3, raising=True)
    async with running(venue, monkeypatch), capturing(tmp_path, "book") as session:
        await until(
            lambda: any(keeper.current and "btcusdt@depth@100ms" in keeper.current.proven for keeper in session.keepers)
        )
    told = [said for _, said in session.said]
    assert any("acknowledged 1 of 1 book streams on public and sent nothing" in said for said in told)
    assert channels["book"].instead[0] == "{native}@depth@100ms"
    assert ["btcusdt@depth@0ms"] in [each["streams"] for each in words(tmp_path, "silent")]


async def test_frames_that_are_no_line_are_kept_as_base64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = ScriptedBinance()
    venue.silent.add("public")
    odd = [b'{"a":\n1}', b'{"a":"\xff"}', b"!close {}", b"", b'{"x":"' + b"y" * (10 << 20) + b'"}']
    async with running(venue, monkeypatch), capturing(tmp_path, "quotes") as session:
        await until(lambda: venue.sockets)
        for frame in odd:
            await venue.sockets[0].send(frame, text=True)
        await venue.sockets[0].send(b"\x00\x01")
        await until(lambda: session.recorder.frames >= 7)
    kept = [said for _, conn, said in lines(tmp_path) if conn == "c1" and (said.startswith("!b64") or len(said) > 1000)]
    assert [said.split(" ", 1)[0] for said in kept[:4]] == ["!b64"] * 4
    assert len(kept[4]) == (10 << 20) + 8
    assert kept[5] == "!b64 AAE="


async def test_a_full_queue_drops_whole_blocks_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = ScriptedBinance()
    venue.silent.add("public")
    async with running(venue, monkeypatch), capturing(tmp_path, "quotes") as session:
        await until(lambda: venue.sockets and session.keepers[0].current and session.keepers[0].current.opened)
        session.recorder.flush()
        monkeypatch.setattr(session.writer, "_queue_bytes", 0)
        before = session.recorder.frames
        for number in range(5):
            await venue.sockets[0].send(json.dumps({"stream": "btcusdt@bookTicker", "data": {"n": number}}))
        await until(lambda: session.recorder.losses.frames.total() == session.recorder.frames - before >= 5)
        monkeypatch.undo()
    (gap,) = words(tmp_path, "gap")
    assert gap["frames"] == 5
    assert gap["streams"] == ["btcusdt@bookTicker"]
    assert gap["cause"] == "dropped"
    assert gap["from"] <= gap["to"]


@pytest.mark.parametrize("cause", ["dropped", "disk_full"])
async def test_after_a_loss_the_books_that_it_touched_are_fetched_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    monkeypatch.setattr("aperiodic.capture.segments._FLOOR_EVERY_S", 0.05)
    venue = ScriptedBinance()
    async with running(venue, monkeypatch), capturing(tmp_path, "book", "mark_price") as session:
        await until(lambda: session.books.snapshots == 1 and not session.books.unknown)
        before = session.recorder.frames
        await until(lambda: session.recorder.frames > before and not session.writer.queued)
        with monkeypatch.context() as failing:
            if cause == "dropped":
                failing.setattr(session.writer, "_queue_bytes", 0)
            else:
                failing.setattr(session.writer, "_floor_bytes", 1 << 62)
            await until(lambda: session.recorder.losses.frames[cause] > 5)
        await until(lambda: session.books.snapshots == 2 and not session.books.unknown)
        before = session.recorder.frames
        await until(lambda: session.recorder.frames > before + 20)
    assert session.books.snapshots == 2
    found = [gap for gap in words(tmp_path, "gap") if "btcusdt@depth@0ms" in gap["streams"]]
    assert {gap["cause"] for gap in found} == {cause}
    assert sum(gap["frames"] for gap in words(tmp_path, "gap")) == session.recorder.losses.frames[cause]
    kept = [json.loads(said)["data"]["u"] for _, _, said in lines(tmp_path) if '"depthUpdate"' in said]
    missing = set(range(kept[0], kept[-1])) - set(kept)
    assert len(missing) > 1
    snapshots = [at for at, _, said in lines(tmp_path) if said.startswith("!rest ") and "/depth?" in said]
    assert len(snapshots) == 2
    assert snapshots[1] > max(gap["to"] for gap in found)


async def test_words_that_are_said_again_and_again_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(ScriptedBinance(), monkeypatch), capturing(tmp_path, "quotes") as session:
        for _ in range(5):
            session.say("no answer")
        session.say("another matter")
        monkeypatch.setattr("aperiodic.capture.session._SAID_AGAIN_S", 0.0)
        session.say("no answer")
        told = [words for _, words in session.said]
    assert told[-3:] == ["no answer", "another matter", "no answer (4 times more since it was said last)"]


async def test_a_refusal_with_451_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = ScriptedBinance()
    venue.refuse = (451, {})
    async with running(venue, monkeypatch), capturing(tmp_path, "quotes", capture_most_wait_s=0.05) as session:
        await until(lambda: any("451" in said for _, said in session.said))
    assert any("country" in said for _, said in session.said)


async def test_what_is_not_listed_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(ScriptedBinance(), monkeypatch):
        async with capturing(tmp_path, "quotes", natives=("BTCUSDT", "NOSUCH")) as session:
            await until(lambda: session.recorder.frames)
        assert session.unlisted == ["NOSUCH"]
        assert session.natives == ["BTCUSDT"]


async def test_a_frozen_connection_is_noticed_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = ScriptedBinance()
    venue.silent.add("public")
    monkeypatch.setattr("aperiodic.capture.connection._PROBE_S", 0.2)
    monkeypatch.setattr("aperiodic.capture.connection._DEAD_S", 1.5)
    async with running(venue, monkeypatch), capturing(tmp_path, "quotes", capture_most_wait_s=0.05) as session:
        await until(lambda: venue.sockets)
        await asyncio.sleep(2.5)
        assert venue.dials == 1  # pings were answered
        frozen = venue.sockets[0].transport
        frozen.pause_reading()
        await until(lambda: venue.dials == 2)
        frozen.abort()
    assert any("nothing at all was heard" in said for _, said in session.said)
    assert words(tmp_path, "close")[0] == {"code": 1000, "reason": "stale", "by": "us"}


async def test_a_connection_without_its_pulse_is_stale_whatever_heartbeats_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = ScriptedBinance()
    monkeypatch.setattr("aperiodic.capture.streams._LEAST_PULSE_S", 0.3)
    quick = [dataclasses.replace(each, pulse_s=each.pulse_s and 0.1) for each in FEED.channels]
    monkeypatch.setattr(FEED, "channels", tuple(quick))
    async with running(venue, monkeypatch), capturing(tmp_path, "mark_price", capture_most_wait_s=0.05) as session:
        await until(lambda: session.keepers and session.keepers[0].current and session.keepers[0].current.proven)
        venue.silent.add("market")
        await until(lambda: venue.dials == 2)
    assert any("no stream that has a pulse" in said for _, said in session.said)


async def test_one_venue_is_captured_by_one_shard_of_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(ScriptedBinance(), monkeypatch), capturing(tmp_path, "quotes") as session:
        await until(lambda: session.recorder.frames)
        told = CaptureSettings(home=tmp_path, capture_disk_floor_bytes=0)
        second = Session(FEED, told, choose_channels(FEED, ["quotes"]), ("BTCUSDT",))
        with pytest.raises(CaptureError, match="already"):
            await second.run()
        assert session.recorder.frames
