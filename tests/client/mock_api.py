"""A server that answers as told and writes down what it was asked, and on top of it an API with a file store."""

from __future__ import annotations

import hashlib
import io
import json
import re
import threading
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

import polars as pl

from aperiodic.catalog import DATASETS
from aperiodic.market import Stream, tick_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

API_KEY = "ap_live_0123456789abcdef_top-secret"


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    truncate: bool = False
    wait: threading.Event | threading.Barrier | None = None
    etag: str | None = None
    ranges: bool = False

    def part(self, headers: Mapping[str, str]) -> Reply:
        """The rest of the body when the client has its beginning, of this very file, or the bytes that were asked for."""
        between = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("range", ""))
        if self.ranges and between and self.status == HTTPStatus.OK:
            first, last = int(between[1]), min(int(between[2]), len(self.body) - 1)
            content_range = {"Content-Range": f"bytes {first}-{last}/{len(self.body)}"}
            return replace(self, status=206, body=self.body[first : last + 1], headers=content_range, ranges=False)
        begin = headers.get("range", "").removeprefix("bytes=").removesuffix("-")
        if self.etag is None or not begin.isdigit() or headers.get("if-range") != self.etag:
            return self
        size = len(self.body)
        content_range = {"Content-Range": f"bytes {begin}-{size - 1}/{size}"}
        return replace(self, status=206, body=self.body[int(begin) :], headers={**self.headers, **content_range})


@dataclass(frozen=True)
class Asked:
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class MockServer:
    """Each path has a list of replies; the last one is repeated."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self.at_once = 0
        self.bytes_sent = 0
        self._functions: dict[str, Callable[[Asked], Reply]] = {}
        self._replies: dict[str, list[Reply | Callable[[], Reply]]] = defaultdict(list)
        self._lock = threading.Lock()
        self._http = _QuietServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def on(self, path: str, *replies: Reply | Callable[[], Reply]) -> None:
        self._replies[path] = list(replies)

    def on_each(self, path: str, function: Callable[[Asked], Reply]) -> None:
        """Answer each request for a path by what it asks."""
        self._functions[path] = function

    def count(self, path: str) -> int:
        return sum(asked.path == path for asked in self.asked)

    def answer(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            function = self._functions.get(asked.path)
            if function is not None:
                return function(asked)
            replies = self._replies[asked.path]
            if not replies:
                return Reply(404)
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        return reply() if callable(reply) else reply

    def enter(self) -> None:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)

    def leave(self) -> None:
        with self._lock:
            self.at_once -= 1


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


def _handler(server: MockServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.enter()
            reply = server.answer(Asked(parts.path, dict(parse_qsl(parts.query)), headers)).part(headers)
            if reply.wait is not None:
                reply.wait.wait(5)
            server.leave()
            if reply.drop:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            server.bytes_sent += len(reply.body)
            self.wfile.write(reply.body[: len(reply.body) // 2] if reply.truncate else reply.body)
            self.close_connection = self.close_connection or reply.truncate

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (named so by the base class)
            pass

    return Handler


class FakeApi:
    """The API on one host and its files on another."""

    def __init__(self, api: MockServer, store: MockServer) -> None:
        self.api = api
        self.store = store
        self.links = 0

    @property
    def base_url(self) -> str:
        return f"{self.api.url}/api/v1"

    def reply(self, *replies: Reply | Callable[[], Reply], metric: str = "ohlcv") -> None:
        self.api.on(f"/api/v1/data/{metric}", *replies)

    def publish(self, *periods: str, metric: str = "ohlcv", **beside_files: object) -> None:
        """Publish hourly bars of whole months ("2025-01") or days ("2025-01-07")."""
        files = [self.store_file(period, parquet(bars(period, metric))) for period in periods]
        self.reply(json_reply({"files": files, **beside_files}), metric=metric)

    def publish_raw(self, *days: str, missing: Sequence[str] = ()) -> dict[str, bytes]:
        """Publish trades of days; returns the files by their days."""
        bodies = {day: parquet(trades(day)) for day in days}
        files = [self.raw_file(day, body) for day, body in bodies.items()]
        self.api.on("/api/v1/data/raw/trades", raw_reply(files, missing))
        return bodies

    def raw_file(self, period: str, body: bytes, **changes: object) -> dict[str, Any]:
        """Put a file of ticks into the store, which serves parts of it, and return its entry in the answer."""
        entry = self.store_file(period, body)
        self.store.on(f"/{period}", Reply(body=body, etag=f'"{entry["sha256"]}"'))
        named = {name: entry[name] for name in ("url", "size", "sha256")}
        return {"period": period, "gaps": 0, **named, **changes}

    def raw_request(self, **changes: object) -> dict[str, Any]:
        """Arguments for trades of three days."""
        return {
            "api_key": API_KEY,
            "dataset": "trades",
            "exchange": "binance-futures",
            "symbol": "perpetual-BTC-USDT:USDT",
            "start_date": "2025-01-01",
            "end_date": "2025-01-03",
            "base_url": self.base_url,
            "show_progress": False,
            **changes,
        }

    def store_file(self, period: str, body: bytes, **changes: object) -> dict[str, Any]:
        """Put a file into the store and return its entry in the answer."""
        self.store.on(f"/{period}", Reply(body=body))
        return {**self.link(period), "size": len(body), "sha256": hashlib.sha256(body).hexdigest(), **changes}

    def link(self, period: str) -> dict[str, Any]:
        year, month, *day = (int(part) for part in period.split("-"))
        self.links += 1
        where = f"{self.store.url}/{period}?signature=hidden-{self.links}&expires=300"
        return {"year": year, "month": month, "url": where, **({"day": day[0]} if day else {})}

    def request(self, **changes: object) -> dict[str, Any]:
        """Arguments that fit the published data."""
        return {
            "api_key": API_KEY,
            "interval": "1h",
            "exchange": "binance-futures",
            "symbol": "perpetual-BTC-USDT:USDT",
            "start_date": "2025-01-01",
            "end_date": "2025-01-31",
            "base_url": self.base_url,
            "show_progress": False,
            **changes,
        }


def raw_reply(files: Sequence[object], missing: Sequence[str] = ()) -> Reply:
    return json_reply({"dataset": "trades", "expires_in": 3600, "files": files, "missing_periods": missing})


def json_reply(body: object, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json", **named})


def trades(day: str, count: int = 48) -> pl.DataFrame:
    """Trades of a day, evenly spread; every value tells its row."""
    first = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    times = [first + timedelta(days=1) * row / count for row in range(count)]
    rows = range(count)
    values = {
        "exchange_timestamp": times,
        "local_timestamp": [time + timedelta(milliseconds=5) for time in times],
        "id": [f"{day}-{row}" for row in rows],
        "side": ["buy" if row % 2 else "sell" for row in rows],
        "price": [float(row) for row in rows],
        "amount": [row / 10 for row in rows],
        "sequence": list(rows),
    }
    return pl.DataFrame(values, schema=tick_schema(Stream.TRADES))


def bars(period: str, metric: str = "ohlcv") -> pl.DataFrame:
    """Hourly bars of a month or a day; every value tells its row."""
    first = datetime.strptime(period, "%Y-%m-%d" if period.count("-") > 1 else "%Y-%m")  # noqa: DTZ007 (naive UTC)
    days = 1 if period.count("-") > 1 else ((first + timedelta(days=32)).replace(day=1) - first).days
    hours = days * 24
    schema = DATASETS[metric].schema
    values: dict[str, list[Any]] = {name: list(range(hours)) for name in schema.names()}
    values["time"] = [first + timedelta(hours=hour) for hour in range(hours)]
    return pl.DataFrame(values, schema=schema, strict=False)


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def days_of(frame: pl.DataFrame) -> tuple[date, date]:
    times = frame["time"].dt.date()
    first, last = times.min(), times.max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    return first, last
