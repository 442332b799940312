"""Without extras the client alone is installed: three packages, and quick to import."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest
from tests.client.mock_api import FakeApi, MockServer
from tests.client.stream.stream_server import StreamServer, Talk

import aperiodic

CLIENT_PACKAGES: Final = {"httpx", "polars", "tqdm"}

# What those three packages bring. Everything else outside the standard library counts as not installed.
BLOCK_THE_REST: Final = """
import sys
INSTALLED = {
    "aperiodic", "polars", "_polars_runtime_32", "tqdm",
    "httpx", "httpcore", "h11", "anyio", "certifi", "idna", "sniffio", "typing_extensions",
}
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        known = top in INSTALLED or top in sys.stdlib_module_names or top.startswith("_sysconfigdata")
        if not known:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NotInstalled())
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)


def test_the_client_requires_three_packages() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {re.split(r"[^\w-]", line)[0] for line in project["dependencies"]} == CLIENT_PACKAGES
    assert project["name"] == "aperiodic-platform", "the index has another package of the name aperiodic"


def test_importing_the_client_loads_polars_with_the_first_function_and_nothing_else_from_outside() -> None:
    show = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    statements = ("import aperiodic", "import aperiodic; aperiodic.get_metrics", "import polars")
    alone, used, polars = (set(run(f"{statement}; {show}").stdout.split()) for statement in statements)
    assert alone - sys.stdlib_module_names - {"__main__", "_distutils_hack", "sitecustomize"} == {"aperiodic"}
    assert used - polars - sys.stdlib_module_names == {"aperiodic"}


def test_the_client_works_with_its_three_packages_alone() -> None:
    done = run(
        BLOCK_THE_REST
        + """
import socket
import aperiodic
from aperiodic.client import retry
retry.FIRST_DELAY_SECONDS = 0.0
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    dead = f"http://127.0.0.1:{probe.getsockname()[1]}/api/v1"
    try:
        aperiodic.get_ohlcv(
            "key", interval="1h", exchange="binance-futures", symbol="perpetual-BTC-USDT:USDT",
            start_date="2025-05-01", end_date="2025-05-02", base_url=dead,
        )
    except aperiodic.AperiodicDataError as error:
        print(error.code)
"""
    )
    assert (done.stdout, done.stderr) == ("server_unreachable\n", "")


MAIN: Final = """
from aperiodic.cli import main
sys.argv = ["aperiodic", *WORDS]
main()
"""
LOADED: Final = """
import atexit
atexit.register(lambda: print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules} & SLOW)))
SLOW = {"polars", "httpx", "asyncio", "cyclopts", "rich", "numba", "numpy", "importlib_resources"}
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--help"], "Commands of a server"),
        (["--version"], aperiodic.__version__),
        (["get", "--help"], "usage: aperiodic get"),
        (["watch", "--help"], "usage: aperiodic watch"),
        (["mcp", "--help"], "usage: aperiodic mcp"),
        (["estimate", "--help"], "usage: aperiodic estimate"),
        (["symbols", "--help"], "usage: aperiodic symbols"),
        (["coverage", "--help"], "usage: aperiodic coverage"),
        (["catalog", "--help"], "usage: aperiodic catalog"),
        (["describe", "--help"], "usage: aperiodic describe"),
        (["search", "--help"], "usage: aperiodic search"),
        (["completion", "--help"], "usage: aperiodic completion"),
        (["login", "--help"], "usage: aperiodic login"),
        (["explain", "flow_entropy"], "00:00 0.6925840371"),
        (["explain", "volume"], "trade_size.volume"),
    ],
)
def test_the_commands_of_the_client_start_without_anything_slow(words: list[str], said: str) -> None:
    done = run(BLOCK_THE_REST + LOADED + MAIN.replace("WORDS", repr(words)))
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
    assert done.stdout.endswith("loaded:\n")


def test_data_is_fetched_from_the_shell_with_the_client_alone(tmp_path: Path) -> None:
    with MockServer() as api, MockServer() as store:
        fake = FakeApi(api, store)
        fake.publish("2025-01", missing=[])
        asked = fake.request()
        words = ["get", "ohlcv", "--interval", "1h", "--exchange", asked["exchange"], "--symbol", asked["symbol"]]
        words += ["--start", "2025-01-01", "--end", "2025-01-31", "--url", fake.base_url, "-o", str(tmp_path / "a.csv")]
        script = "import os; os.environ['APERIODIC_API_KEY'] = 'key'" + BLOCK_THE_REST
        done = run(script + MAIN.replace("WORDS", repr(words)))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").count("\n") == 31 * 24 + 1


def test_live_rows_are_watched_with_the_client_and_websockets_alone() -> None:
    def one_row(talk: Talk) -> None:
        talk.subscribed()
        talk.rows(0)

    with StreamServer() as server:
        server.on(one_row)
        words = ["watch", "ohlcv", "--interval", "1m", "--exchange", "binance-futures", "--count", "1"]
        script = f"import os; os.environ.update(APERIODIC_API_KEY='key', APERIODIC_STREAM_URL={server.url!r})"
        script += BLOCK_THE_REST.replace('"tqdm",', '"tqdm", "websockets",')
        done = run(script + MAIN.replace("WORDS", repr(words)))
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout)["close"], done.stderr) == (0.0, "")


def test_a_command_of_a_server_says_what_to_install() -> None:
    done = run(BLOCK_THE_REST + MAIN.replace("WORDS", "['status']"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "error: This command needs the package 'cyclopts', which is not installed.",
        (
            "hint: Install what a server needs, into the environment that runs this command, from a checkout: "
            "pip install -e '.[server]'"
        ),
    ]


def test_the_tools_for_agents_say_what_to_install() -> None:
    done = run(BLOCK_THE_REST + MAIN.replace("WORDS", "['mcp']"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[1] == "hint: Install with: pip install mcp."
