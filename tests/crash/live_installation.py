"""A whole installation that collects from a mock exchange, of which single parts are killed and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import httpx
import psutil

from aperiodic.mock import MockExchange, MockSettings, SimulatedSource
from aperiodic.simulate import MarketSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from aperiodic.market import Exchange, Symbol
    from aperiodic.mock import Fault

COMMAND = [sys.executable, "-c", "from aperiodic.cli import main; main()"]
PATIENCE_S = 180.0
"""So long a test waits for what is to come by itself; on a busy machine a part takes many seconds to start."""


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:g} s: {what}"
        time.sleep(0.1)


class Mock:
    """A mock exchange in a thread of this process, so that a test can disturb it."""

    def __init__(self, markets: Sequence[tuple[Exchange, Symbol]]) -> None:
        specs: dict[Exchange, list[MarketSpec]] = {}
        for exchange, symbol in markets:
            specs.setdefault(exchange, []).append(MarketSpec(exchange, symbol, 7, 43_200))
        self._exchange = MockExchange([SimulatedSource(each) for each in specs.values()], MockSettings(port=0))
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    @property
    def environment(self) -> dict[str, str]:
        """The settings that lead a capture here."""
        return self._exchange.environment()

    def disturb(self, fault: Fault) -> None:
        """Let a fault begin now."""
        self._loop.call_soon_threadsafe(self._exchange.disturb, fault)

    async def _serve(self) -> None:
        async with self._exchange:
            self._ready.set()
            await self._over.wait()


class Installation:
    """A running `aperiodic up`.

    Attributes:
        key: A key of it.
        url: Its address.
    """

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        assert process.stdout is not None
        self._process = process
        self.url = url
        self.key = process.stdout.readline().rpartition("=")[2].strip()
        assert self.key, "it did not start"

    @property
    def stream_url(self) -> str:
        """Where rows are told."""
        return self.url.replace("http", "ws", 1) + "/v1/stream"

    def wait_until_served(self) -> None:
        """Wait until its server answers."""

        def answers() -> bool:
            assert self._process.poll() is None, "it has ended"
            try:
                return httpx.get(f"{self.url}/healthz", timeout=5.0).status_code == 200
            except httpx.HTTPError:
                return False

        wait_until(answers, "the server answers")

    def parts(self, name: str) -> list[psutil.Process]:
        """Return the processes of a command."""
        found = []
        for child in psutil.Process(self._process.pid).children():
            try:
                words = child.cmdline()
            except psutil.NoSuchProcess:  # it has just ended
                continue
            if len(words) > len(COMMAND) and words[len(COMMAND)] == name:
                found.append(child)
        return found

    def kill(self, name: str) -> None:
        """Kill a part, and wait until it has been started again."""
        killed = self.parts(name)
        assert killed, name
        for process in killed:
            process.kill()
        gone = {process.pid for process in killed}
        wait_until(lambda: bool({each.pid for each in self.parts(name)} - gone), f"{name} is started again")

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """Let a part do nothing inside the block."""
        stopped = self.parts(name)
        assert stopped, name
        for process in stopped:
            process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                process.resume()


@contextmanager
def installation(
    home: Path, mock: Mock, exchanges: Sequence[str], symbols: Sequence[str], environment: dict[str, str]
) -> Iterator[Installation]:
    """Run `aperiodic up` until the end of the block; what it says is in the file `said` beside its folder."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    words = ["up", "--port", str(port), "--every", "1"]
    for exchange in exchanges:
        words += ["--exchange", exchange]
    words += ["--symbols", *symbols]
    with (
        home.with_name("said").open("wb") as said,
        subprocess.Popen(
            [*COMMAND, *words],
            env={**os.environ, **mock.environment, **environment, "APERIODIC_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as process,
    ):
        try:
            yield Installation(process, f"http://127.0.0.1:{port}")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE_S)
            finally:
                process.kill()
