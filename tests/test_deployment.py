"""Everything that deploy/compose.yaml starts, piece by piece as processes of this machine, behind the proxy's own file."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
import warnings
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from tests.crash.live_installation import COMMAND, PATIENCE_S, Mock, wait_until
from tests.nats import nats_server
from tests.s3 import ENVIRONMENT
from tests.test_deploy import DEPLOY, compose, example

import aperiodic
from aperiodic.market import Exchange, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.postgres import PostgresServer
    from tests.s3 import S3Server

pytestmark = pytest.mark.crash

SYMBOL: Final = "perpetual-BTC-USDT:USDT"
VENUES: Final = (Exchange.BINANCE_FUTURES, Exchange.OKX_PERPS)
CHANNELS: Final = [f"ohlcv.{venue}.1s.true" for venue in VENUES]
STOPS_S: Final = 90


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Deployment:
    """The services of the file whose image is ours; `{service: process}`.

    Attributes:
        url: Address of the API behind the proxy.
        ports: That of each API server.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], url: str) -> None:
        self.url = url
        self.services: dict[str, dict[str, Any]] = {
            name: service
            for name, service in compose()["services"].items()
            if service.get("image") == "aperiodic" and "profiles" not in service
        }
        self.ports = {name: free_port() for name, service in self.services.items() if "command" not in service}
        self._folder = folder
        self._environment = environment
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start a service; what it says is in a file of its name."""
        service = self.services[name]
        words = service.get("command") or ["serve", "--host", "127.0.0.1", "--port", str(self.ports[name])]
        mounts = [mount.split(":")[0] for mount in service.get("volumes", [])]
        home = self._folder / (mounts[0] if mounts else name)
        environment = {**self._environment, **service.get("environment", {}), "APERIODIC_HOME": str(home)}
        with (self._folder / f"{name}.out").open("ab") as said:
            self._processes[name] = subprocess.Popen(
                [*COMMAND, *words], env=environment, stdout=said, stderr=subprocess.STDOUT
            )

    def run(self, *words: str) -> str:
        """Run a command, as `docker compose run --rm builder` does; return what it printed."""
        environment = {**self._environment, "APERIODIC_HOME": str(self._folder / "builder")}
        done = subprocess.run([*COMMAND, *words], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def is_read(self, name: str) -> bool:
        """Whether somebody reads live rows of an API server."""
        told = httpx.get(
            f"http://127.0.0.1:{self.ports[name]}/metrics",
            headers={"Authorization": f"Bearer {self._environment['APERIODIC_METRICS_TOKEN']}"},
            timeout=30.0,
        ).text
        (count,) = re.findall(r"^aperiodic_live_connections (\S+)$", told, re.MULTILINE)
        return float(count) > 0

    def kill(self, name: str) -> None:
        """End a service at once, as when its host is lost."""
        self._processes[name].kill()
        self._processes[name].wait()

    def ended(self) -> list[str]:
        """Return the services that do not run."""
        return [name for name, process in self._processes.items() if process.poll() is not None]

    def stop(self) -> dict[str, int]:
        """Ask all services to end; return how each did."""
        codes = {}
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for name, process in self._processes.items():
            codes[name] = process.wait(STOPS_S)
        return codes

    def end(self) -> None:
        """Let nothing run on."""
        for process in self._processes.values():
            process.kill()
            process.wait()


@contextmanager
def proxy(folder: Path, deployment: Deployment, files: str, store: str) -> Iterator[None]:
    """Run Caddy with the file of the deployment, in which the names of hosts are those of this machine."""
    program = shutil.which("caddy")
    if program is None:
        pytest.skip("Caddy is not installed (apt-get install caddy)")
    text = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    for name, port in deployment.ports.items():
        text = text.replace(f"{name}:8000", f"127.0.0.1:{port}")
    text = "{\n\tadmin off\n}\n" + text.replace("store:7070", store)
    assert not re.search(r"\b(api-\d|store):\d", text)
    (folder / "Caddyfile").write_text(text, encoding="utf-8")
    environment = {**os.environ, "API_HOST": deployment.url, "FILE_HOSTS": files, "XDG_DATA_HOME": str(folder)}
    command = [program, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with (
        (folder / "proxy.out").open("wb") as said,
        subprocess.Popen(command, env=environment, stdout=said, stderr=said) as process,
    ):
        try:
            yield
        finally:
            process.kill()


@pytest.fixture
def deployment(postgres: PostgresServer, s3: S3Server, tmp_path: Path) -> Iterator[Deployment]:
    """All of it, from the example environment with hosts of this machine in place of containers."""
    url, files = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    with ExitStack() as stack:
        nats = stack.enter_context(nats_server(tmp_path))
        mock = stack.enter_context(Mock([(venue, Symbol.parse(SYMBOL)) for venue in VENUES]))
        given = {
            **{name: value for name, value in example().items() if name.startswith("APERIODIC_")},
            "APERIODIC_SECRET": "0f" * 32,
            "APERIODIC_METRICS_TOKEN": "1f" * 16,
            "APERIODIC_PUBLIC_URL": url,
            "APERIODIC_LEDGER": postgres.new_database(),
            "APERIODIC_STORE": s3.url("deployment", public_endpoint=files),
            "APERIODIC_LIVE_HUB": f"nats://127.0.0.1:{nats.port}",
            "APERIODIC_SIGNUP": "false",
            "APERIODIC_CACHE": "0",
        }
        made = Deployment(tmp_path, {**os.environ, **ENVIRONMENT, **mock.environment, **given}, url)
        stack.enter_context(proxy(tmp_path, made, files, s3.endpoint.removeprefix("http://")))
        stack.callback(made.end)
        yield made


def test_all_parts_work_together_and_the_loss_of_one_is_no_loss_of_the_others(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APERIODIC_CACHE", "0")
    key = deployment.run("keys", "create", "--plan", "prime")
    for name in deployment.services:
        deployment.start(name)
    wait_until(lambda: status(deployment.url, "/healthz") == 200, "an API server answers behind the proxy")
    assert status(deployment.url, "/metrics") == status(deployment.url, "/readyz") == 404
    seen: dict[str, list[int]] = {channel: [] for channel in CHANNELS}
    with pytest.warns(aperiodic.StreamWarning, match="is opened anew"):
        listen(deployment, key, seen)
    for times in seen.values():
        assert times == sorted(set(times)), "each row once and in order"
    assert [status(deployment.url, "/api/v1/metadata/catalog") for _ in range(10)] == [200] * 10
    (lost,) = deployment.ended()
    deployment.start(lost)
    today = datetime.now(UTC).date()

    def bars(venue: Exchange) -> int:
        with warnings.catch_warnings(), suppress(aperiodic.AperiodicDataError):
            warnings.simplefilter("ignore")  # yesterday is not there, and today is not over
            frame = aperiodic.get_metrics(
                key,
                "ohlcv",
                "true",
                "1m",
                venue,
                SYMBOL,
                today - timedelta(days=1),
                today,
                base_url=f"{deployment.url}/api/v1",
                show_progress=False,
            )
            return frame.height
        return 0

    for venue in VENUES:
        wait_until(lambda: bars(venue) > 0, f"bars of {venue} come out of the bucket")  # noqa: B023 - at once
    wait_until(lambda: status(f"http://127.0.0.1:{deployment.ports[lost]}", "/readyz") == 200, "the server is back")
    codes = deployment.stop()
    assert {name for name, code in codes.items() if code} == set()


def listen(deployment: Deployment, key: str, seen: dict[str, list[int]]) -> None:
    """Read rows, and lose the server that tells them after some."""
    before: dict[str, int] | None = None
    stream_url = f"{deployment.url.replace('http', 'ws', 1)}/v1/stream"
    with aperiodic.stream(key, channels=CHANNELS, stream_url=stream_url, snapshot=False) as stream:
        deadline = time.monotonic() + 2 * PATIENCE_S
        for message in stream:
            seen[message.channel].append(message.data["time"])
            counts = {channel: len(times) for channel, times in seen.items()}
            assert time.monotonic() < deadline, counts
            if before is None and min(counts.values()) >= 5:
                deployment.kill(next(name for name in deployment.ports if deployment.is_read(name)))
                before = counts
            if before is not None and all(counts[channel] >= before[channel] + 10 for channel in CHANNELS):
                return


def status(url: str, path: str) -> int:
    try:
        return httpx.get(f"{url}{path}", timeout=20.0).status_code
    except httpx.HTTPError:
        return 0
