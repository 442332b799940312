"""Tasks of an event loop, threads, and the handlers of a web application."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import polars as pl
import pytest

import aperiodic

if TYPE_CHECKING:
    from tests.environments.conftest import Place


async def test_tasks_share_a_client(place: Place) -> None:
    async with place.async_client() as client:
        frames = await asyncio.gather(*[client.get_metrics("ohlcv", **place.request) for _ in range(20)])
    assert all(frame.equals(place.frame) for frame in frames)
    assert place.fetched() == 1


async def test_one_task_is_cancelled_and_the_others_go_on(place: Place) -> None:
    async with place.async_client() as client:
        tasks = [asyncio.create_task(client.get_metrics("ohlcv", **place.request)) for _ in range(8)]
        await asyncio.sleep(0)  # they have begun
        for task in tasks[::2]:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends[::2])
        assert all(isinstance(end, pl.DataFrame) and end.equals(place.frame) for end in ends[1::2])
        assert (await client.get_metrics("ohlcv", **place.request)).equals(place.frame)
    assert not list(place.cache.rglob("*.part"))


async def test_all_tasks_are_cancelled_and_the_client_can_be_used_further(place: Place) -> None:
    async with place.async_client() as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.gather(*[client.get_metrics("ohlcv", **place.request) for _ in range(8)])
        assert (await client.get_metrics("ohlcv", **place.request)).equals(place.frame)


async def test_errors_come_through_gather_as_they_are(place: Place) -> None:
    stranger = aperiodic.AsyncClient("ap_live_no", base_url=place.url, cache=False, show_progress=False)
    async with place.async_client() as client:
        ends = await asyncio.gather(
            client.get_metrics("ohlvc", **place.request),
            client.get_metrics("ohlcv", **place.request),
            stranger.get_metrics("ohlcv", **place.request),
            return_exceptions=True,
        )
    assert isinstance(ends[0], aperiodic.InvalidInputError)
    assert ends[0].code == "unknown_metric"
    assert isinstance(ends[1], pl.DataFrame)
    assert isinstance(ends[2], aperiodic.APIError)
    assert ends[2].status_code == 401


async def test_the_first_error_of_gather_reaches_who_waits(place: Place) -> None:
    async with place.async_client() as client:
        with pytest.raises(aperiodic.InvalidInputError):
            await asyncio.gather(*[client.get_metrics(name, **place.request) for name in ("ohlcv", "ohlvc", "ohlcv")])


def test_twenty_threads_share_a_client(place: Place) -> None:
    together = threading.Barrier(20)
    with place.client() as client, ThreadPoolExecutor(20) as pool:

        def fetch(_: int) -> pl.DataFrame:
            together.wait(30)
            return place.get(client)

        frames = list(pool.map(fetch, range(20)))
    assert all(frame.equals(place.frame) for frame in frames)
    assert place.fetched() == 1


def test_threads_call_the_functions_of_the_module(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APERIODIC_CACHE_DIR", str(place.cache))
    asked = {"metric": "ohlcv", "base_url": place.url, "show_progress": False, **place.request}
    get: Any = aperiodic.get_metrics
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(lambda: get(place.key, **asked)) for _ in range(8)]
    assert all(call.result().equals(place.frame) for call in calls)


def test_a_wrong_request_of_a_thread_does_not_disturb_the_others(place: Place) -> None:
    with place.client() as client, ThreadPoolExecutor(8) as pool:
        names = ["ohlcv", "ohlvc"] * 4
        calls = [pool.submit(place.get, client, name) for name in names]
    assert all(call.result().equals(place.frame) for call in calls[::2])
    assert all(isinstance(call.exception(), aperiodic.InvalidInputError) for call in calls[1::2])


def closes(frame: pl.DataFrame) -> list[float]:
    return frame["close"].to_list()


async def test_handlers_of_fastapi(place: Place) -> None:
    fastapi = pytest.importorskip("fastapi", reason="FastAPI is not installed")
    application: Any = fastapi.FastAPI()
    client, async_client = place.client(), place.async_client()

    def in_a_thread() -> list[float]:
        return closes(client.get_metrics("ohlcv", **place.request))

    async def blocking_in_the_loop() -> list[float]:
        return closes(client.get_metrics("ohlcv", **place.request))

    async def function_in_the_loop() -> list[float]:
        asked = {"metric": "ohlcv", "base_url": place.url, "show_progress": False, **place.request}
        return closes(aperiodic.get_metrics(place.key, **asked))

    async def awaited() -> list[float]:
        return closes(await async_client.get_metrics("ohlcv", **place.request))

    handlers = {"/thread": in_a_thread, "/blocking": blocking_in_the_loop, "/function": function_in_the_loop}
    for path, handler in {**handlers, "/awaited": awaited}.items():
        application.add_api_route(path, handler)
    paths = [*handlers, "/awaited"] * 5
    transport = httpx.ASGITransport(application)
    async with async_client, httpx.AsyncClient(transport=transport, base_url="http://here", timeout=60) as browser:
        answers = await asyncio.gather(*[browser.get(path) for path in paths])
    client.close()
    expected = closes(place.frame)
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    assert all(answer.json() == expected for answer in answers)
