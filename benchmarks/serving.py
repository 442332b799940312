"""What a user of the server sees: how long a download takes, and how many requests for links are answered."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import socket
import subprocess
import sys
import warnings
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import httpx
import litestar
import msgspec

import aperiodic
from aperiodic.lake import Lake
from aperiodic.server import Secrets
from aperiodic.server.api.data import get_data
from aperiodic.server.service import Service
from benchmarks.installation import (
    FIRST,
    LAST,
    MANY,
    SYMBOL,
    VENUE,
    make_installation,
    make_installation_of_a_second,
    make_installation_of_many,
    new_key,
    running,
    serve_ours,
    settings_of,
)
from benchmarks.load import visit
from benchmarks.measure import Pairs, seconds

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from benchmarks.inputs import Inputs

__all__ = [
    "ORIGINAL",
    "data_request",
    "links_against_fastapi",
    "links_alone",
    "many_against_original",
    "sdk_against_original",
    "two_columns_and_again",
]

_ROOT: Final = Path(__file__).resolve().parents[1]
ORIGINAL: Final = _ROOT / ".venv-client-4.3.1" / "bin" / "python"
"""Interpreter with the originally published client; `make conformance` makes it."""

_REQUESTS: Final = 2_000
_ROUTE: Final = "/api/v1/data/{metric}"


def sdk_against_original(inputs: Inputs) -> tuple[Pairs, Pairs]:
    """Fetch 24 months of `flow` at 1m in fresh processes in turns; return pairs of seconds and of peak MB."""
    home = make_installation(inputs)
    key = new_key(home)
    with running(serve_ours, home) as url:
        # -E: whatever PYTHONPATH says, this interpreter's own client is meant.
        turns = [
            (_fetch([sys.executable], url, key), _fetch([str(ORIGINAL), "-E"], url, key))
            for _ in range(inputs.pairs + 1)
        ]
    if any(ours["rows"] != theirs["rows"] for ours, theirs in turns):
        raise RuntimeError("the two clients returned different numbers of rows")
    counted = turns[1:]  # the first turn compiles byte code and fills the page cache
    times, memory = (
        Pairs.of((ours[what], theirs[what]) for ours, theirs in counted) for what in ("seconds", "memory_mb")
    )
    return times, memory


def many_against_original(inputs: Inputs) -> Pairs:
    """Fetch a year of `ohlcv` at 15m of 50 instruments likewise; return pairs of seconds."""
    home = make_installation_of_many(inputs)
    key = new_key(home)
    asked = ["ohlcv", "15m", "2024-05-01", "2025-04-30", *map(str, MANY)]
    with running(serve_ours, home) as url:
        turns = [
            (_fetch([sys.executable], url, key, asked), _fetch([str(ORIGINAL), "-E"], url, key, asked))
            for _ in range(inputs.pairs + 1)
        ]
    if any(ours["rows"] != theirs["rows"] for ours, theirs in turns):
        raise RuntimeError("the two clients returned different numbers of rows")
    return Pairs.of((ours["seconds"], theirs["seconds"]) for ours, theirs in turns[1:])


def two_columns_and_again(inputs: Inputs) -> tuple[float, float, float, float]:
    """Fetch two columns of a month of `flow` at 1s, then the whole of it, and again some times, with a cache.

    Returns:
        Bytes that moved for the columns, for the whole, and for the whole again; and the median seconds of that.
    """
    home = make_installation_of_a_second(inputs)
    asked: dict[str, Any] = {
        "metric": "flow",
        "timestamp": "true",
        "interval": "1s",
        "exchange": str(VENUE),
        "symbol": str(SYMBOL),
        "start_date": FIRST,
        "end_date": FIRST + timedelta(days=30),
        "show_progress": False,
    }
    moved: list[float] = []
    took: list[float] = []
    with running(serve_ours, home) as url, TemporaryDirectory() as kept, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of this month only the bars are there
        client = aperiodic.Client(new_key(home, "prime"), base_url=f"{url}/api/v1", cache=Path(kept))
        with client:
            for columns in (["volume_delta", "flow_entropy"], None, *[None] * inputs.pairs):
                before = _file_bytes(url)
                took.append(seconds(lambda: client.get_metrics(**asked, columns=columns)))  # noqa: B023
                moved.append(_file_bytes(url) - before)
    return moved[0], moved[1], sum(moved[2:]), median(took[2:])


def _file_bytes(url: str) -> float:
    told = httpx.get(f"{url}/metrics").text
    return sum(float(line.split()[1]) for line in told.splitlines() if line.startswith("aperiodic_file_bytes_total"))


def _fetch(python: list[str], url: str, key: str, asked: list[str] | None = None) -> dict[str, float]:
    asked = asked or ["flow", "1m", FIRST.isoformat(), LAST.isoformat(), str(SYMBOL)]
    done = subprocess.run(
        [*python, "-W", "ignore", "-m", "benchmarks.fetch", f"{url}/api/v1", *asked],
        cwd=_ROOT,
        # A cache would make the second turn an easy one.
        env={**os.environ, "APERIODIC_API_KEY": key, "APERIODIC_CACHE": "0"},
        stdout=subprocess.PIPE,
        check=True,
    )
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def links_alone(inputs: Inputs) -> list[float]:
    """Return requests per second of `/data/flow` over 12 months, one figure a turn."""
    home = make_installation(inputs)
    request = data_request(new_key(home))
    with running(serve_ours, home) as url:
        return [_rate(url, request) for _ in range(inputs.pairs + 1)][1:]


def links_against_fastapi(inputs: Inputs) -> Pairs:
    """Answer `/data/flow` over 12 months in turns with the same route on FastAPI and uvicorn; seconds a request."""
    home = make_installation(inputs)
    request = data_request(new_key(home))
    with running(serve_ours, home) as ours, running(serve_with_fastapi, home) as theirs:
        if _body(ours, request).keys() != _body(theirs, request).keys():
            raise RuntimeError("the two servers answered differently")
        turns = [(1 / _rate(ours, request), 1 / _rate(theirs, request)) for _ in range(inputs.pairs + 1)]
    return Pairs.of(turns[1:])


def serve_with_fastapi(home: Path, ready: Connection) -> None:
    """Serve the links of an installation with our own code under FastAPI, and send the URL."""
    fastapi, cors, uvicorn = (
        importlib.import_module(name) for name in ("fastapi", "fastapi.middleware.cors", "uvicorn")
    )
    settings = settings_of(home)
    with closing(Lake.open(settings)) as lake, closing(socket.create_server(("127.0.0.1", 0))) as listening:
        service = Service(lake, Secrets.load(settings), settings)

        def links(request: Any, metric: str) -> Any:  # noqa: ANN401 - FastAPI need not be installed
            request.scope.setdefault("state", {})
            answer: Any = get_data.fn(litestar.Request(request.scope), metric, service)
            return fastapi.Response(
                msgspec.json.encode(answer.content),
                media_type="application/json",
                headers={**answer.headers, "X-Request-ID": answer.content.request_id},
            )

        links.__annotations__ = {"request": fastapi.Request, "metric": str}
        app = fastapi.FastAPI(openapi_url=None)
        app.add_api_route(_ROUTE, links, response_class=fastapi.Response)
        app.add_middleware(cors.CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "HEAD"])
        ready.send(f"http://127.0.0.1:{listening.getsockname()[1]}")
        config = uvicorn.Config(app, log_config=None, access_log=False, ws="none")
        uvicorn.Server(config).run(sockets=[listening])


def data_request(key: str) -> bytes:
    """Return a request of `/data/flow` over the last 12 months, with a key."""
    first = LAST.replace(year=LAST.year - 1, month=LAST.month + 1, day=1)
    query = (
        f"timestamp=exchange&interval=1m&exchange={VENUE}&symbol={SYMBOL}"
        f"&start_date={first.isoformat()}&end_date={LAST.isoformat()}"
    )
    target = f"{_ROUTE.format(metric='flow')}?{query}"
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-KEY: {key}\r\n\r\n".encode()


def _body(url: str, request: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(asyncio.run(visit(url, request, 1)))
    if len(body["files"]) != 12:
        raise RuntimeError(f"the server answered with {len(body['files'])} months instead of 12")
    return body


def _rate(url: str, request: bytes) -> float:
    return _REQUESTS / seconds(lambda: asyncio.run(visit(url, request, _REQUESTS)))
