from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.capture.scripted import answer_http

from aperiodic.capture.recorder import Recorder
from aperiodic.capture.rest import RestClient, Weight
from aperiodic.capture.segments import Block, SegmentWriter
from aperiodic.market import Exchange
from aperiodic.venues import feed_of
from aperiodic.venues.feed import Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.capture.scripted import Answer

FEED = feed_of(Exchange.BINANCE_FUTURES)


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_000_020.0  # a whole minute

    def __call__(self) -> float:
        return self.now


def test_weight_stays_below_its_share_and_comes_back_with_the_minute() -> None:
    clock = Clock()
    weight = Weight(FEED.limits, 0.8, clock)
    taken = 0
    while weight.take(20) == 0:
        taken += 20
    assert taken < 0.8 * 2_400
    assert 59 < weight.take(20) < 61
    clock.now += 60
    assert weight.take(20) == 0


def test_what_others_behind_the_address_use_counts() -> None:
    weight = Weight(FEED.limits, 0.8, Clock())
    weight.take(1)
    weight.told(1_915)
    assert weight.take(20) > 0
    assert weight.take(1) == 0
    weight.told(3)
    assert weight.used == 1_916


def test_polls_leave_weight_for_snapshots() -> None:
    weight = Weight(FEED.limits, 0.8, Clock())
    weight.take(1)
    weight.told(1_500)
    assert weight.take(1, spare=480) > 0
    assert weight.take(20) == 0


def test_a_block_is_kept_to_its_end() -> None:
    clock = Clock()
    weight = Weight(FEED.limits, 0.8, clock)
    weight.block(90)
    weight.block(10)
    clock.now += 89.9
    assert weight.take(1) > 0
    clock.now += 0.2
    assert weight.take(1) == 0


class _Unwritten(SegmentWriter):
    """Keeps its blocks."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.kept: list[Block] = []

    def put(self, block: Block) -> None:
        self.kept.append(block)


class Asked:
    """A REST client of a host that answers as a test says."""

    def __init__(self, home: Path, hosts: list[str], answers: list[Answer]) -> None:
        self.said: list[str] = []
        writer = _Unwritten(home, FEED.exchange, "s0", segment_bytes=1 << 30, queue_bytes=1 << 30, floor_bytes=0)
        self.blocks = writer.kept
        self.recorder = Recorder(writer, FEED.read)
        self.rest = RestClient(FEED, hosts, self.recorder, Weight(FEED.limits, 0.8), self.said.append)
        self.answers = answers
        self.paths: list[str] = []

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        del method, body
        self.paths.append(path)
        return self.answers[min(len(self.paths), len(self.answers)) - 1]

    def lines(self) -> list[bytes]:
        self.recorder.flush()
        return [line for block in self.blocks for line in block.lines.splitlines()]


@asynccontextmanager
async def host(home: Path, *answers: Answer) -> AsyncIterator[Asked]:
    asked = Asked(home, [], list(answers))

    async def turn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_http(asked.answer, reader, writer)

    server = await asyncio.start_server(turn, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    asked.rest._hosts.extend([address, f"{address}/second"])
    try:
        yield asked
    finally:
        await asked.rest.close()
        server.close()


ASK = Request("/x?y=1", 5)


async def test_an_answer_is_a_line(tmp_path: Path) -> None:
    async with host(tmp_path, (200, {"X-MBX-USED-WEIGHT-1M": "77"}, b'{\n "a": [1,\r\n 2]\n}')) as asked:
        answer = await asked.rest.ask(ASK)
        assert answer.is_good
        assert answer.asked_ns < answer.local
        assert asked.rest.weight.used == 77
        (line,) = asked.lines()
        url = asked.rest._hosts[0].encode()
        assert line == b"%d - !rest %s/x?y=1 200 " % (answer.local, url) + b'{"a":[1,2]}'


@pytest.mark.parametrize("body", [b"<html>blocked</html>", b"", b'{"a":', b'{"a":"\xff"}', b"x" * (16 << 20)])
async def test_what_is_no_json_is_no_answer(tmp_path: Path, body: bytes) -> None:
    async with host(tmp_path, (200, {}, body)) as asked:
        answer = await asked.rest.ask(ASK)
        assert not answer.is_good
        assert not asked.lines()
        assert "no JSON" in asked.said[0]


@pytest.mark.parametrize(
    ("status", "headers", "seconds", "words"),
    [
        (429, {"Retry-After": "7"}, 7, "asked too often"),
        (429, {}, 10, "asked too often"),
        (418, {"Retry-After": "300"}, 300, "banned"),
        (418, {"Retry-After": "soon"}, 120, "banned"),
        (403, {}, 10, "firewall"),
        (503, {"Retry-After": "3"}, 3, "HTTP 503"),
    ],
)
async def test_a_refusal_is_obeyed_and_explained(
    tmp_path: Path, status: int, headers: dict[str, str], seconds: int, words: str
) -> None:
    async with host(tmp_path, (status, headers, b'{"code":-1003}')) as asked:
        answer = await asked.rest.ask(ASK)
        assert (answer.status, answer.is_good) == (status, False)
        assert seconds - 1 < asked.rest.weight.take(1) <= seconds
        assert words in asked.said[0]
        assert len(asked.lines()) == 1


async def test_a_host_that_refuses_the_country_is_left_for_the_next(tmp_path: Path) -> None:
    async with host(tmp_path, (451, {}, b"{}"), (200, {}, b"{}")) as asked:
        assert not (await asked.rest.ask(ASK)).is_good
        assert FEED.geo_hint in asked.said[0]
        assert (await asked.rest.ask(ASK)).is_good
        assert asked.paths == ["/x?y=1", "/second/x?y=1"]


async def test_nobody_answers(tmp_path: Path) -> None:
    async with host(tmp_path, (200, {}, b"{}")) as asked:
        asked.rest._hosts[:] = ["http://127.0.0.1:1"]
        answer = await asked.rest.ask(ASK)
        assert (answer.status, answer.is_good) == (0, False)
        assert asked.said[0].startswith("http://127.0.0.1:1/x does not answer: ")
        assert "Error" not in asked.said[0]
        assert "Errno" not in asked.said[0]
        assert asked.rest.answered == 0
