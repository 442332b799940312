"""`pip install aperiodic` brings the client alone: three packages, and quick to import."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import requires
from typing import Final

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
    required = [line for line in requires("aperiodic") or [] if "extra ==" not in line]
    assert {re.split(r"[^\w-]", line)[0] for line in required} == CLIENT_PACKAGES


def test_importing_the_client_loads_polars_and_nothing_else_from_outside() -> None:
    show = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    with_client, with_polars = (set(run(f"import {name}; {show}").stdout.split()) for name in ("aperiodic", "polars"))
    assert with_client - with_polars - sys.stdlib_module_names == {"aperiodic"}


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


def test_the_command_line_says_what_to_install() -> None:
    done = run(f"{BLOCK_THE_REST}\nfrom aperiodic.cli import main\nmain()")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "error: the command line needs the package 'cyclopts', which is not installed.",
        "hint: pip install 'aperiodic[server]'",
    ]
