"""Blocking calls, with and without a running event loop."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from tests.client.mock_api import bars

import aperiodic
from aperiodic.client.sync import run_blocking

if TYPE_CHECKING:
    from tests.client.mock_api import FakeApi


async def _thread_name() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def test_without_a_loop_no_thread_is_started() -> None:
    assert run_blocking(_thread_name()) == threading.current_thread().name


async def test_a_blocking_call_works_inside_a_running_loop(fake: FakeApi) -> None:
    fake.publish("2025-01")
    before = asyncio.get_running_loop()
    assert aperiodic.get_ohlcv(**fake.request()).equals(bars("2025-01"))
    assert asyncio.get_running_loop() is before
    assert (await aperiodic.get_ohlcv_async(**fake.request())).equals(bars("2025-01"))


async def test_errors_come_out_of_the_thread(fake: FakeApi) -> None:
    with pytest.raises(aperiodic.APIError, match="Not Found"):
        aperiodic.get_ohlcv(**fake.request())
    assert not [thread for thread in threading.enumerate() if thread.name == "aperiodic"]


class _Endless:
    """Work that ends only by being cancelled; presses Ctrl-C as soon as it runs."""

    def __init__(self) -> None:
        self.cancelled = False

    async def run(self) -> None:
        threading.Timer(0.05, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 5)
        except asyncio.CancelledError:
            self.cancelled = True
            raise


def test_ctrl_c_cancels_a_call_without_a_loop() -> None:
    work = _Endless()
    with pytest.raises(KeyboardInterrupt):
        run_blocking(work.run())
    assert work.cancelled


def test_ctrl_c_cancels_a_call_in_a_notebook() -> None:
    work = _Endless()

    async def cell() -> None:
        run_blocking(work.run())

    loop = asyncio.new_event_loop()  # as a notebook's kernel does: without a handler for the signal
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(cell())
    finally:
        loop.close()
    assert work.cancelled


def test_ctrl_c_cancels_a_call_under_asyncio_run() -> None:
    work = _Endless()

    async def main() -> None:
        run_blocking(work.run())

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert work.cancelled
