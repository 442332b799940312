from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
import websockets
from tests.mock.market import (
    FUTURES,
    HYPERLIQUID,
    OKX,
    all_frames,
    bare_socket,
    closing,
    depth,
    frames,
    mocking,
    snapshot,
)

from aperiodic.market import InvalidInputError
from aperiodic.mock import Fault, random_faults, read_faults

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/stream?streams=btcusdt@trade"


def fault(kind: Any, at: float = 0.0, **more: Any) -> Fault:
    return Fault(at=at, exchange="binance-futures", kind=kind, **more)


async def trades(tmp_path: Path, *faults: Fault, seconds: float = 1.0) -> tuple[list[Any], Any]:
    """Return the numbers of all trades that came, and the truth of them."""
    async with mocking(tmp_path, FUTURES, faults=faults, seconds=seconds) as client:
        async with client.socket("public", PATH) as socket:
            waiting = asyncio.create_task(all_frames(socket))
            await client.mock.finished()
            await asyncio.sleep(0.05)
        got = [frame["data"]["t"] if isinstance(frame, dict) and "data" in frame else frame for frame in await waiting]
        return got, [line for line in client.mock.truth.lines if line.get("stream") == "btcusdt@trade"]


def numbers(truth: list[Any], what: str) -> list[int]:
    return [line["number"] for line in truth if line["what"] == what]


async def test_without_faults_everything_is_sent_and_logged(tmp_path: Path) -> None:
    got, truth = await trades(tmp_path)
    assert got == list(range(1, 21)) == numbers(truth, "sent")
    assert {(line["what"], line["symbol"], line["connection"]) for line in truth} == {("sent", "BTCUSDT", "c1")}
    assert [line["ns"] for line in truth] == sorted(line["ns"] for line in truth)


async def test_withheld_frames_are_those_of_the_log(tmp_path: Path) -> None:
    got, truth = await trades(
        tmp_path, fault("withhold", 0.3, count=3, symbol="perpetual-BTC-USDT:USDT", stream="@trade")
    )
    assert len(numbers(truth, "withheld")) == 3
    assert got == numbers(truth, "sent")
    assert sorted(got + numbers(truth, "withheld")) == list(range(1, 21))


async def test_faults_of_another_symbol_change_nothing(tmp_path: Path) -> None:
    got, truth = await trades(tmp_path, *(fault(kind, symbol="ETHUSDT") for kind in ("withhold", "malformed", "stall")))
    assert got == list(range(1, 21)) == numbers(truth, "sent")


async def test_duplicated_frames_come_twice(tmp_path: Path) -> None:
    got, truth = await trades(tmp_path, fault("duplicate", 0.3, count=2, stream="@trade"))
    assert got == numbers(truth, "sent")
    assert sorted(set(got)) == list(range(1, 21))
    assert len(got) == 22
    assert [line["note"] for line in truth if "note" in line] == ["duplicate"] * 2


async def test_reordered_frames_change_places(tmp_path: Path) -> None:
    got, _ = await trades(tmp_path, fault("reorder", 0.3, count=1, stream="@trade"))
    assert sorted(got) == list(range(1, 21))
    late = [place for place, number in enumerate(got[1:], 1) if number < got[place - 1]]
    assert len(late) == 1
    assert got[late[0] - 1] == got[late[0]] + 1


async def test_a_stall_holds_frames_back_and_loses_none(tmp_path: Path) -> None:
    got, truth = await trades(tmp_path, fault("stall", 0.3, seconds=0.3, stream="@trade"))
    assert got == list(range(1, 21))
    assert len([line for line in truth if line.get("note") == "late"]) >= 4


async def test_malformed_frames_are_lost_and_new_fields_are_not(tmp_path: Path) -> None:
    got, truth = await trades(
        tmp_path, fault("malformed", 0.2, count=1, stream="@trade"), fault("new_field", 0.6, seconds=9, stream="@trade")
    )
    broken = [frame for frame in got if isinstance(frame, str)]
    assert len(broken) == 1
    assert numbers(truth, "withheld")
    assert [frame for frame in got if isinstance(frame, int)] == numbers(truth, "sent")


async def test_what_comes_while_nobody_listens_is_missed(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client:
        async with client.socket("public", PATH) as socket:
            got = await frames(socket, 5)
            client.mock.disturb(fault("disconnect", symbol="BTCUSDT"))
            got += await all_frames(socket)
            assert socket.close_code == 1006
        await asyncio.sleep(0.2)
        async with client.socket("public", PATH) as socket:
            got += await frames(socket, 3)
        truth = [line for line in client.mock.truth.lines if line.get("stream") == "btcusdt@trade"]
        told = [frame["data"]["t"] for frame in got]
        assert numbers(truth, "sent")[: len(told)] == told
        missed = numbers(truth, "missed")
        assert missed[: told[-1] - len(told)] == sorted(set(range(1, told[-1] + 1)) - set(told))


async def test_a_disconnect_can_have_a_code_and_concerns_only_its_streams(tmp_path: Path) -> None:
    async with (
        mocking(tmp_path, FUTURES) as client,
        client.socket("public", PATH) as one,
        client.socket("market", "/stream?streams=btcusdt@markPrice@1s") as other,
    ):
        await frames(one, 1)
        client.mock.disturb(fault("disconnect", code=1012, stream="@trade"))
        assert (await closing(one))[0] == 1012
        await frames(other, 2)


async def test_a_frozen_connection_says_nothing_and_stays_open(tmp_path: Path) -> None:
    async with (
        mocking(tmp_path, FUTURES) as client,
        bare_socket(client.mock.port, "/binance-futures/public" + PATH) as link,
    ):
        await link[0].readexactly(100)
        client.mock.disturb(fault("freeze", stream="@trade"))
        while True:
            try:
                assert await asyncio.wait_for(link[0].read(100_000), 0.2)
            except TimeoutError:
                break


@pytest.mark.parametrize(("kind", "size"), [("huge", 10_000_000), ("invalid_utf8", 10)])
async def test_frames_that_mean_nothing(tmp_path: Path, kind: str, size: int) -> None:
    async with (
        mocking(tmp_path, FUTURES) as client,
        bare_socket(client.mock.port, "/binance-futures/public" + PATH) as link,
    ):
        await link[0].readexactly(10)
        client.mock.disturb(fault(kind, stream="@trade"))
        assert [line["kind"] for line in client.truth("junk")] == [kind]
        await asyncio.wait_for(link[0].readexactly(size), 5)


async def test_streams_can_change_their_class_of_host(tmp_path: Path) -> None:
    both = PATH + "/btcusdt@depth@0ms"
    async with (
        mocking(tmp_path, FUTURES) as client,
        client.socket("public", both) as one,
        client.socket("market", PATH) as other,
    ):
        await frames(one, 2)
        client.mock.disturb(fault("wrong_class", symbol="BTCUSDT", stream="@trade"))
        assert {frame["stream"] for frame in await frames(other, 2)} == {"btcusdt@trade"}
        await frames(one, 2)  # what was on its way
        assert {frame["stream"] for frame in await frames(one, 3)} == {"btcusdt@depth@0ms"}


async def test_the_numbers_of_a_book_can_begin_anew(tmp_path: Path) -> None:
    path = "/stream?streams=btcusdt@depth@0ms"
    async with mocking(tmp_path, FUTURES) as client, client.socket("public", path) as socket:
        before = await frames(socket, 5)
        client.mock.disturb(fault("sequence_reset", symbol="BTCUSDT"))
        after = [frame["data"] for frame in await frames(socket, 5)]
        told = (await client.ask("/fapi/v1/depth?symbol=BTCUSDT")).json()
        after += [frame["data"] for frame in await all_frames(socket, until_s=0.3)]
    first = next(place for place, data in enumerate(after) if data["u"] < before[-1]["data"]["u"])
    after = after[first:]
    assert after[0]["pu"] >= before[-1]["data"]["u"]
    assert [data["pu"] for data in after[1:]] == [data["u"] for data in after[:-1]]
    assert told["lastUpdateId"] in {data["u"] for data in after}


async def test_a_snapshot_can_be_too_old(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES, at_once=True, known_s=2) as client:
        first = (await client.ask("/fapi/v1/depth?symbol=BTCUSDT")).json()["lastUpdateId"]
        client.mock.disturb(fault("old_snapshot", symbol="BTCUSDT", count=1))
        await asyncio.sleep(0.3)
        answers = [(await client.ask("/fapi/v1/depth?symbol=BTCUSDT")).json()["lastUpdateId"] for _ in range(2)]
    assert first <= answers[0] < answers[1]


async def test_refusals_of_all_kinds(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client:
        client.mock.disturb(fault("html", count=1))
        assert (await client.ask("/fapi/v1/time")).headers["content-type"] == "text/html"
        client.mock.disturb(fault("rate_limited", seconds=0.3))
        refused = await client.ask("/fapi/v1/time")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        await asyncio.sleep(0.35)
        assert (await client.ask("/fapi/v1/time")).status_code == 200
        client.mock.disturb(fault("banned", seconds=60))
        assert (await client.ask("/fapi/v1/time")).status_code == 418
        client.mock.disturb(fault("geo_block", seconds=60))
        assert (await client.ask("/fapi/v1/time")).status_code == 451
        with pytest.raises(websockets.InvalidStatus) as caught:
            await client.socket("public", "/stream")
        assert caught.value.response.status_code == 451
        assert [line["status"] for line in client.truth("rest")] == [200, 429, 200, 418, 451]


async def test_the_clock_of_the_venue_can_be_wrong(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client:
        right = (await client.ask("/fapi/v1/time")).json()["serverTime"]
        client.mock.disturb(fault("clock_skew", ms=60_000, seconds=60))
        assert (await client.ask("/fapi/v1/time")).json()["serverTime"] - right >= 60_000


async def test_the_end_is_announced(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client, client.socket("public", PATH) as socket:
        await frames(socket, 1)
        client.mock.disturb(fault("shutdown", seconds=0.2))
        got = await all_frames(socket)
        assert [frame["stream"] for frame in got if frame["stream"].startswith("!")] == ["!serverShutdown"]
        assert socket.close_code == 1006


async def test_a_recording_with_a_break_stays_broken(tmp_path: Path) -> None:
    broken = [(0, depth(1, 0)), (1, snapshot(1)), (2, depth(2, 2)), (3, depth(9, 3)), (900, depth(10, 900))]
    async with mocking(tmp_path, FUTURES, at_once=True, frames=broken) as client:
        await asyncio.sleep(0.1)
        assert (await client.ask("/fapi/v1/depth?symbol=BTCUSDT")).status_code == 503


def test_scripts_are_read_in_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text(json.dumps([{"at": at, "exchange": "okx-perps", "kind": "disconnect"} for at in (5, 2)]))
    assert [fault.at for fault in read_faults(path)] == [2, 5]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '[{"at":1}]',
        '[{"at":1,"exchange":"x","kind":"nonsense"}]',
        '[{"at":1,"exchange":"x","kind":"stall","sek":1}]',
    ],
)
def test_what_is_no_script_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "faults.json"
    path.write_text(text)
    with pytest.raises(InvalidInputError) as caught:
        read_faults(path)
    assert caught.value.code == "bad_fault_script"


def test_a_seed_gives_one_script() -> None:
    markets = {FUTURES: ["BTCUSDT", "ETHUSDT"], OKX: ["BTC-USDT-SWAP"], HYPERLIQUID: ["BTC"]}
    script = random_faults(5, markets, count=300)
    assert script == random_faults(5, markets, count=300) != random_faults(6, markets, count=300)
    assert len(script) == 300
    assert all(60 <= fault.at <= 540 and fault.exchange in markets for fault in script)
    assert {fault.exchange for fault in script if fault.kind == "coin_kill"} == {"hyperliquid-perps"}
    assert {fault.exchange for fault in script if fault.kind == "no_snapshot"} == {"okx-perps"}
    assert {fault.kind for fault in random_faults(1, markets, kinds=["withhold"])} == {"withhold"}
