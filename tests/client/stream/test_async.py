"""The same stream in an event loop of the caller, and across processes."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.stream.stream_server import CHANNEL, MINUTE, START, StreamServer, Talk

import aperiodic

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    Opened = Callable[..., aperiodic.Stream]


def minutes(messages: Any) -> list[int]:
    return [(message.data["time"] - START) // MINUTE for message in messages]


def three_rows(talk: Talk) -> None:
    talk.subscribed()
    talk.rows(0, 1, 2)


async def test_rows_come_and_the_end_of_the_block_closes(server: StreamServer, opened: Opened) -> None:
    server.on(three_rows)
    seen = []
    async with opened() as stream:
        async for message in stream:
            seen.append(message)
            if len(seen) == 3:
                break
    assert minutes(seen) == [0, 1, 2]
    assert await asyncio.to_thread(server.code) == 1000
    assert [message async for message in stream] == []


async def test_a_lost_connection_is_opened_anew(server: StreamServer, opened: Opened) -> None:
    def lost(talk: Talk) -> None:
        three_rows(talk)
        talk.drop()

    def replaying(talk: Talk) -> None:
        talk.subscribed(replayed=True)
        talk.rows(2, 3)

    server.on(lost, replaying)
    async with opened() as stream:
        rows = aiter(stream)
        seen = [await anext(rows) for _ in range(3)]
        with pytest.warns(aperiodic.StreamWarning, match="was lost") as told:
            seen.append(await anext(rows))
    assert minutes(seen) == [0, 1, 2, 3]
    assert [warning.filename for warning in told] == [__file__]
    assert stream.gaps == []


async def test_errors_reach_the_loop(server: StreamServer, opened: Opened) -> None:
    server.refuse(403, {"error": "No live data."})
    async with opened() as stream:
        with pytest.raises(aperiodic.APIError, match="No live data"):
            await anext(aiter(stream))


async def test_close_from_another_thread(server: StreamServer, opened: Opened) -> None:
    server.on(three_rows)
    stream = opened()
    seen = []
    async for message in stream:
        seen.append(message)
        if len(seen) == 3:
            threading.Thread(target=stream.close).start()
    assert minutes(seen) == [0, 1, 2]
    assert await asyncio.to_thread(server.code) == 1000


async def test_close_from_another_task(server: StreamServer, opened: Opened) -> None:
    server.on(three_rows)
    stream = opened()
    closing = []
    seen = []
    async for message in stream:
        seen.append(message)
        if len(seen) == 3:
            closing.append(asyncio.create_task(stream.close_async()))
    await closing[0]
    assert minutes(seen) == [0, 1, 2]


async def test_a_task_that_is_cancelled_closes_with_1000(server: StreamServer, opened: Opened) -> None:
    server.on(three_rows)
    third = asyncio.Event()

    async def read() -> None:
        count = 0
        async with opened() as stream:
            async for _ in stream:
                count += 1
                if count == 3:
                    third.set()

    task = asyncio.create_task(read())
    await third.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.code) == 1000


async def test_the_next_rows_as_a_frame(server: StreamServer, opened: Opened) -> None:
    server.on(three_rows)
    async with opened() as stream:
        first = await stream.frame_async(2)
        assert (await stream.frame_async(1))["close"].to_list() == [2.0]
    assert first["close"].to_list() == [0.0, 1.0]
    assert len(server.headers) == 1
    assert stream.frame().height == 3


async def test_blocking_iteration_works_inside_a_running_loop(server: StreamServer, opened: Opened) -> None:
    server.on(three_rows)
    with opened() as stream:
        rows = iter(stream)
        assert minutes([next(rows), next(rows)]) == [0, 1]


def _read_on(stream: aperiodic.Stream, rows: Any, told: Connection) -> None:
    try:
        next(rows)
    except aperiodic.AperiodicDataError as error:
        told.send(error.code)
    rows.close()
    stream.close()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_leaves_the_connection_alone(server: StreamServer, opened: Opened) -> None:
    server.on(three_rows)
    with opened() as stream:
        rows = iter(stream)
        assert minutes([next(rows)]) == [0]
        context = multiprocessing.get_context("fork")
        here, there = context.Pipe()
        child = context.Process(target=_read_on, args=(stream, rows, there))
        child.start()
        assert here.poll(20)
        assert here.recv() == "forked_process"
        child.join(20)
        assert child.exitcode == 0
        assert minutes([next(rows), next(rows)]) == [1, 2]


@pytest.mark.parametrize(
    "value",
    [
        aperiodic.StreamMessage(CHANNEL, {"time": 1}),
        aperiodic.StreamSubscription((CHANNEL,), (aperiodic.ChannelRejection("a", "b", "c"),)),
    ],
)
def test_what_is_yielded_can_be_sent_to_another_process(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 (made here)
