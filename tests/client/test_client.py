from __future__ import annotations

import asyncio
import gc
import multiprocessing
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.mock_api import API_KEY, FakeApi, json_reply

import aperiodic
from aperiodic.client.portal import Portal

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


def options(fake: FakeApi, **changes: Any) -> dict[str, Any]:
    """A request without what the client knows itself."""
    return {name: value for name, value in fake.request(**changes).items() if name not in {"api_key", "base_url"}}


def client_of(fake: FakeApi, **settings: Any) -> aperiodic.Client:
    return aperiodic.Client(API_KEY, base_url=fake.base_url, cache=False, show_progress=False, **settings)


def test_a_client_gives_what_the_functions_give(fake: FakeApi) -> None:
    fake.publish("2025-01")
    wanted = aperiodic.get_ohlcv(**fake.request())
    with client_of(fake) as client:
        assert client.get_metrics("ohlcv", **options(fake)).equals(wanted)
        assert client.get_metrics("ohlcv", **options(fake), output="pandas").equals(wanted.to_pandas())
    assert {asked.headers["x-api-key"] for asked in fake.api.asked} == {API_KEY}


async def test_an_async_client_gives_the_same_with_and_without_shared_connections(fake: FakeApi) -> None:
    fake.publish("2025-01")
    client = aperiodic.AsyncClient(API_KEY, base_url=fake.base_url, cache=False, show_progress=False)
    alone = await client.get_metrics("ohlcv", **options(fake))
    async with client:
        several = await asyncio.gather(*(client.get_metrics("ohlcv", **options(fake)) for _ in range(4)))
    assert all(frame.equals(alone) for frame in several)
    assert (await client.get_metrics("ohlcv", **options(fake))).equals(alone)


def test_several_threads_use_one_client(fake: FakeApi) -> None:
    fake.publish("2025-01")
    with client_of(fake, max_concurrent=2) as client, ThreadPoolExecutor(6) as pool:
        works = [pool.submit(_height, client, options(fake)) for _ in range(12)]
        assert {work.result() for work in works} == {31 * 24}
    assert fake.store.most_at_once <= 2


async def test_it_works_where_a_loop_is_running(fake: FakeApi) -> None:
    fake.publish("2025-01")
    with client_of(fake) as client:
        assert client.get_metrics("ohlcv", **options(fake)).height == 31 * 24


def test_it_can_be_used_after_it_was_closed(fake: FakeApi) -> None:
    fake.publish("2025-01")
    client = client_of(fake)
    for _ in range(3):
        assert client.get_metrics("ohlcv", **options(fake)).height == 31 * 24
        client.close()
    client.close()


def test_who_forgets_to_close_it_leaves_no_thread(fake: FakeApi) -> None:
    fake.publish("2025-01")
    before = threading.active_count()
    client_of(fake).get_metrics("ohlcv", **options(fake))
    gc.collect()
    for thread in threading.enumerate():
        if thread.name == "aperiodic":
            thread.join(10)
    assert threading.active_count() <= before


def test_errors_come_out_of_it_and_it_goes_on(fake: FakeApi) -> None:
    fake.reply(json_reply({"error": "No such key."}, 401))
    with client_of(fake) as client:
        with pytest.raises(aperiodic.APIError, match="No such key"):
            client.get_metrics("ohlcv", **options(fake))
        fake.publish("2025-01")
        assert client.get_metrics("ohlcv", **options(fake)).height == 31 * 24


def test_a_timeout_of_the_work_itself_is_its_error() -> None:
    async def fail() -> None:
        raise TimeoutError("of the work")

    portal = Portal()
    with pytest.raises(TimeoutError, match="of the work"):
        portal.run(fail())
    portal.close()


def test_raw_ticks_and_symbols(fake: FakeApi) -> None:
    fake.publish_raw("2025-01-01", "2025-01-02", "2025-01-03")
    fake.api.on("/api/v1/metadata/symbols", json_reply({"symbols": ["perpetual-BTC-USDT:USDT"], "exchange": "x"}))
    raw = {name: value for name, value in fake.raw_request().items() if name not in {"api_key", "base_url", "dataset"}}
    with client_of(fake) as client:
        assert client.get_raw("trades", **raw).equals(aperiodic.get_raw(**fake.raw_request()))
        assert client.get_symbols("binance-futures") == ["perpetual-BTC-USDT:USDT"]


def test_the_key_is_not_shown(fake: FakeApi) -> None:
    client = client_of(fake)
    assert API_KEY not in f"{client!r} {vars(client)!r}"
    assert API_KEY not in repr(aperiodic.AsyncClient(API_KEY, base_url=fake.base_url))


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ({"timeout": 0}, "bad_timeout"),
        ({"timeout": "soon"}, "bad_timeout"),
        ({"max_concurrent": 0}, "bad_max_concurrent"),
        ({"cache": 5}, "bad_cache"),
        ({"base_url": "nowhere"}, "bad_base_url"),
        ({"api_key": "two words"}, "bad_api_key"),
    ],
)
def test_bad_settings_are_refused_at_once(setting: dict[str, Any], code: str) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.Client(**setting)
    assert caught.value.code == code


def _height(client: aperiodic.Client, asked: dict[str, Any]) -> int:
    frame: pl.DataFrame = client.get_metrics("ohlcv", **asked)
    return frame.height


def test_a_copy_in_another_process_works(fake: FakeApi, tmp_path: Path) -> None:
    fake.publish("2025-01")
    client = aperiodic.Client(API_KEY, base_url=fake.base_url, cache=tmp_path, show_progress=False)
    client.get_metrics("ohlcv", **options(fake))
    assert pickle.loads(pickle.dumps(client)).get_metrics("ohlcv", **options(fake)).height == 31 * 24  # noqa: S301
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_height, (client, options(fake))) == 31 * 24
    assert len(fake.store.asked) == 1  # the cache went along
