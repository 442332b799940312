"""What a user of the server sees: how long a download takes, and how many requests for links are answered."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import socket
import subprocess
import warnings
from contextlib import closing
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import httpx
import litestar
import msgspec

import aperiodic
from aperiodic.catalog import DATASETS
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
    "again",
    "data_request",
    "links_against_fastapi",
    "links_alone",
    "many_against_original",
    "sdk_against_original",
    "two_columns",
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
        turns = [(_fetch(url, key), _fetch(url, key, original=True)) for _ in range(inputs.pairs + 1)]
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
        turns = [(_fetch(url, key, asked), _fetch(url, key, asked, original=True)) for _ in range(inputs.pairs + 1)]
    if any(ours["rows"] != theirs["rows"] for ours, theirs in turns):
        raise RuntimeError("the two clients returned different numbers of rows")
    return Pairs.of((ours["seconds"], theirs["seconds"]) for ours, theirs in turns[1:])


def two_columns(inputs: Inputs) -> tuple[list[float], float]:
    """Fetch a month of `flow` at 1s two columns at a time, and whole; return the bytes that moved for each pair, and for it."""
    home = make_installation_of_a_second(inputs)
    asked = _asked("true", "1s", FIRST + timedelta(days=30))
    fields = [field.name for field in DATASETS["flow"].fields]
    with running(serve_ours, home) as url, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of this month only the bars are there
        with aperiodic.Client(new_key(home, "prime"), base_url=f"{url}/api/v1", cache=False) as client:

            def moved(columns: list[str] | None) -> float:
                before = _file_bytes(url)
                client.get_metrics(**asked, columns=columns)
                return _file_bytes(url) - before

            return [moved([one, other]) for one, other in pairwise([*fields, fields[0]])], moved(None)


def again(inputs: Inputs) -> tuple[float, float, float]:
    """Fetch 24 months of `flow` at 1m with a cache, and again some times.

    Returns:
        Bytes that moved after the first time; and the median seconds of a call while the first frame is there, and of one
        when it is not.
    """
    home = make_installation(inputs)
    asked = _asked("exchange", "1m", LAST)
    with running(serve_ours, home) as url, TemporaryDirectory() as kept, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with aperiodic.Client(new_key(home), base_url=f"{url}/api/v1", cache=Path(kept)) as client:
            first = client.get_metrics(**asked)
            before = _file_bytes(url)
            held = [seconds(lambda: client.get_metrics(**asked)) for _ in range(inputs.pairs)]
            del first
            anew = [seconds(lambda: client.get_metrics(**asked)) for _ in range(inputs.pairs)]
            return _file_bytes(url) - before, median(held), median(anew)


def _asked(clock: str, interval: str, last: date) -> dict[str, Any]:
    return {
        "metric": "flow",
        "timestamp": clock,
        "interval": interval,
        "exchange": str(VENUE),
        "symbol": str(SYMBOL),
        "start_date": FIRST,
        "end_date": last,
        "show_progress": False,
    }


def _file_bytes(url: str) -> float:
    told = httpx.get(f"{url}/metrics").text
    return sum(float(line.split()[1]) for line in told.splitlines() if line.startswith("aperiodic_file_bytes_total"))


def _fetch(url: str, key: str, asked: list[str] | None = None, *, original: bool = False) -> dict[str, float]:
    """Fetch with one of the clients, both in the environment of the original one: with the same HTTP library and Polars."""
    asked = asked or ["flow", "1m", FIRST.isoformat(), LAST.isoformat(), str(SYMBOL)]
    # -E: whatever PYTHONPATH says, the client is meant that this environment has.
    done = subprocess.run(
        [
            str(ORIGINAL),
            *(["-E"] if original else []),
            "-W",
            "ignore",
            "-m",
            "benchmarks.fetch",
            f"{url}/api/v1",
            *asked,
        ],
        cwd=_ROOT,
        # A cache would make the second turn an easy one.
        env={**os.environ, "APERIODIC_API_KEY": key, "APERIODIC_CACHE": "0", "PYTHONPATH": str(_ROOT / "src")},
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
            del metric  # read from the path, as our own route does
            request.scope["route_handler"] = get_data
            answer: Any = get_data.fn(litestar.Request(request.scope), service)
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
