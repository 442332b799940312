from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import polars as pl
import pytest
from sqlalchemy import update

from aperiodic.accounts.keys import create_key, public_id_of
from aperiodic.completeness.gaps import Span, add_spans
from aperiodic.lake import Lake, NewObject, ObjectKey
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.schema import api_keys
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Clock, Exchange, Interval, Source, Stream, Symbol
from aperiodic.server import Secrets
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
DATA = "/api/v1/data/ohlcv"
_RUN = """
import sys
from pathlib import Path
from aperiodic.server.settings import ServerSettings
from aperiodic.server import serve
if __name__ == "__main__":
    settings, host, port, workers = ServerSettings(home=Path(sys.argv[1])), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    serve(settings, host, port, lambda url: print(url, flush=True), workers)
"""


@dataclass(frozen=True)
class Installation:
    """A lake with published months, and a key of each plan."""

    lake: Lake
    settings: ServerSettings
    secrets: Secrets
    keys: dict[str, str]

    def key(self, plan: str, expires_at: int | None = None) -> str:
        with begin_write(self.lake.engine) as connection:
            return create_key(connection, self.secrets.pepper, plan, "test", expires_at)


@dataclass(frozen=True)
class RunningServer:
    url: str
    process: subprocess.Popen[str]

    def send(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send bytes as they are, which HTTP clients would tidy up."""
        address = urlsplit(self.url)
        with closing(socket.create_connection((address.hostname, address.port), timeout=10)) as connection:
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        return int(lines[0].split()[1]), headers, body

    def get_raw(self, target: str, headers: str = "") -> tuple[int, dict[str, str], bytes]:
        request = f"GET {target} HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n{headers}\r\n"
        return self.send(request.encode("latin-1"))


def bars(month: date, rows: int = 3) -> pl.DataFrame:
    start = datetime(month.year, month.month, 1, tzinfo=UTC).replace(tzinfo=None)
    times = [start + timedelta(minutes=5 * row) for row in range(rows)]
    return pl.DataFrame({"time": times, "close": [float(month.month + row) for row in range(rows)]})


def publish(
    lake: Lake,
    month: date,
    *,
    dataset: str = "ohlcv",
    exchange: Exchange = Exchange.BINANCE_FUTURES,
    symbol: Symbol = BTC,
    source: Source = Source.RECORDING,
    rows: int = 3,
) -> bytes:
    """Publish a month of 5m bars on the exchange clock, and return the file's bytes."""
    data = parquet_bytes(bars(month, rows))
    key = ObjectKey.bars(dataset, Clock.EXCHANGE, Interval.M5, exchange, symbol, month)
    batch = lake.batch()
    batch.put(NewObject(key=key, rows=rows, source=source, fingerprint=f"{month}-{rows}", reason="test"), data)
    batch.commit()
    return data


def add_tick_days(lake: Lake, first: date, days: int) -> None:
    batch = lake.batch()
    for offset in range(days):
        key = ObjectKey.ticks(Stream.TRADES, Exchange.BINANCE_FUTURES, BTC, first + timedelta(days=offset))
        new = NewObject(key=key, rows=1, source=Source.RECORDING, fingerprint=f"{offset}", reason="test")
        batch.put(new, f"ticks {first} {offset}".encode())
    batch.commit()


def query(**changes: str | None) -> dict[str, str]:
    """The six parameters as the SDK sends them; None leaves one out."""
    parameters: dict[str, str | None] = {
        "timestamp": "exchange",
        "interval": "5m",
        "exchange": "binance-futures",
        "symbol": "perpetual-BTC-USDT:USDT",
        "start_date": "2025-04-10",
        "end_date": "2025-06-20",
        **changes,
    }
    return {name: value for name, value in parameters.items() if value is not None}


def start_server(home: object, host: str = "127.0.0.1", port: int = 0, workers: int = 1) -> RunningServer:
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(home), host, str(port), str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return RunningServer(process.stdout.readline().strip(), process)


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    settings = ServerSettings(home=tmp_path_factory.mktemp("home"))
    with closing(Lake.open(settings)) as lake:
        made = Installation(lake, settings, Secrets.load(settings), {})
        for plan in ("free", "starter", "pro", "prime"):
            made.keys[plan] = made.key(plan)
        publish(lake, date(2025, 4, 1))
        publish(lake, date(2025, 6, 1))
        publish(lake, date(2025, 4, 1), exchange=Exchange.OKX_PERPS, source=Source.SIMULATED)
        publish(lake, date(2025, 5, 1), exchange=Exchange.OKX_PERPS, source=Source.TARDIS)
        publish(lake, date(2025, 6, 1), exchange=Exchange.OKX_PERPS, source=Source.RECORDING)
        publish(lake, date(2025, 4, 1), symbol=replace(BTC, base="ETH"))
        add_tick_days(lake, date(2025, 4, 1), 30)
        begin = int(datetime(2025, 4, 1, tzinfo=UTC).timestamp() * 1e6)
        end = int(datetime(2025, 5, 1, tzinfo=UTC).timestamp() * 1e6)
        span = Span(0, 10, begin + 1, end - 1, "not_recorded")
        with begin_write(lake.engine) as connection:
            add_spans(connection, Exchange.BINANCE_FUTURES, BTC, Stream.TRADES, [span])
        yield made


@pytest.fixture(scope="session")
def server(installation: Installation) -> Iterator[RunningServer]:
    running = start_server(installation.settings.home)
    yield running
    running.process.terminate()
    _, errors = running.process.communicate(timeout=20)
    assert running.process.returncode == 0
    assert not errors, errors


@pytest.fixture
def api(server: RunningServer, installation: Installation) -> Iterator[httpx.Client]:
    """A client that holds a key of the plan pro."""
    with httpx.Client(base_url=server.url, headers={"X-API-KEY": installation.keys["pro"]}, timeout=10) as client:
        yield client


def expire(connection: Connection, key: str) -> None:
    """Let a key have expired long ago, which none can be made with."""
    connection.execute(update(api_keys).where(api_keys.c.public_id == public_id_of(key)).values(expires_at=1))
