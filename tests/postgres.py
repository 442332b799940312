"""A real PostgreSQL server for the tests, and an empty database on it for each of them."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_INSTALLED: Final = Path("/usr/lib/postgresql")
_NUMBERS: Final = count(1)
_CONFIGURATION: Final = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
shared_buffers = 16MB
max_connections = 60
"""


# Stops the server and removes its folder once its input ends, which it does even when the tests are killed.
_CLEAN_UP: Final = """
import os, shutil, signal, sys, time
from contextlib import suppress
from pathlib import Path
sys.stdin.read()
lock = Path(sys.argv[1], "postmaster.pid")
with suppress(FileNotFoundError, ProcessLookupError):
    os.kill(int(lock.read_text().split()[0]), signal.SIGQUIT)
    deadline = time.monotonic() + 10
    while lock.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
shutil.rmtree(sys.argv[1])
"""


@dataclass(frozen=True)
class PostgresServer:
    """A running server; stopping and starting it again keeps what it holds.

    Attributes:
        tools: Folder of its programs.
        folder: Folder of its data.
        port: Port on the loopback interface.
    """

    tools: Path
    folder: Path
    port: int

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the server, without a database."""
        return f"postgresql+psycopg://tests@127.0.0.1:{self.port}"

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"ledger{next(_NUMBERS)}"
        self.execute(f"CREATE DATABASE {name}")
        return f"{self.url}/{name}"

    def execute(self, statement: str) -> None:
        """Run a statement as the owner of the server."""
        with closing(
            psycopg.connect(f"host=127.0.0.1 port={self.port} user=tests dbname=postgres", autocommit=True)
        ) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Start the server and wait until it answers."""
        log = str(self.folder / "log")
        _run([self.tools / "pg_ctl", "start", "--silent", "--wait", "--pgdata", self.folder, "--log", log])

    def stop(self) -> None:
        """Stop the server at once, as a crash would."""
        _run([self.tools / "pg_ctl", "stop", "--silent", "--wait", "--mode", "immediate", "--pgdata", self.folder])


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run a server of its own in a temporary folder; skips the test when PostgreSQL is not installed."""
    tools = _tools()
    if tools is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # Not below pytest's folder: the server's user must be able to reach it.
    folder = Path(tempfile.mkdtemp(prefix="aperiodic-postgres-"))
    cleaner = [sys.executable, "-c", _CLEAN_UP, str(folder)]
    with subprocess.Popen(cleaner, stdin=subprocess.PIPE, start_new_session=True):
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
        _run([tools / "initdb", "--no-sync", "--auth=trust", "--username=tests", "--encoding=UTF8", "-D", folder])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        with (folder / "postgresql.conf").open("a") as file:
            file.write(f"{_CONFIGURATION}port = {port}\n")
        server = PostgresServer(tools, folder, port)
        server.start()
        yield server


def _tools() -> Path | None:
    installed = sorted(_INSTALLED.glob("*/bin/pg_ctl"), key=lambda tool: int(tool.parts[-3]))
    found = installed[-1] if installed else shutil.which("pg_ctl")
    return None if found is None else Path(found).resolve().parent


def _run(command: Sequence[Path | str]) -> None:
    # The server refuses to run as root.
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    done = subprocess.run(
        list(map(str, command)),
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        user=user and user.pw_uid,
        group=user and user.pw_gid,
        extra_groups=user and [],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
