from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import MARKET

if TYPE_CHECKING:
    from tests.cli.conftest import Command, Shell

SLICE = ("flow", "--interval", "1h", *MARKET[:4], "--start", "2025-05-01", "--end", "2025-05-01")
DAYS = ("--start", "2025-05-01", "--end", "2025-05-02")

# Exit code 2 is for words that cannot be read, 1 for a command that was understood and refused.
MISTAKES = {
    "command": (2, ("biuld",), "Did you mean 'build'?"),
    "option": (2, ("get", "flow", "--intervall", "1h"), "usage: aperiodic get"),
    "file": (1, ("get", *SLICE, "-o", "bars.xls"), ".parquet, .csv, .arrow"),
    "exchange": (2, ("status", "--exchange", "binance-futurs"), "Did you mean 'binance-futures'?"),
    "symbol": (2, ("build", "--symbol", "btcusdt"), "perpetual-BTC-USDT:USDT"),
    "date": (2, ("simulate", *MARKET, "--start", "2025-02-30", "--end", "2025-05-01"), "Write YYYY-MM-DD"),
    "range": (1, ("simulate", *MARKET, "--start", "2025-05-02", "--end", "2025-05-01"), "Swap --start and --end"),
    "number": (1, ("simulate", *MARKET, *DAYS, "--trades-per-day", "0"), "from 1 to 20,000,000"),
    "plan": (1, ("keys", "create", "--plan", "primr"), "Did you mean 'prime'?"),
    "markup": (1, ("keys", "create", "--plan", "[/bold]"), "Unknown plan '[/bold]'."),
}


@pytest.mark.parametrize(("code", "arguments", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_in_plain_words(shell: Shell, code: int, arguments: tuple[str, ...], words: str) -> None:
    done = shell.run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_that_is_not_valid_is_named(shell: Shell) -> None:
    done = replace(shell, env={"APERIODIC_PORT": "eighty", "APERIODIC_SECRET": "hush"}).run("serve")
    assert (done.returncode, done.stdout) == (1, "")
    assert "APERIODIC_PORT" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hush" not in done.stderr


def test_help_lists_the_commands(command: Command) -> None:
    done = command.run("--help")
    assert done.code == 0
    for name in (
        "get",
        "watch",
        "explain",
        "import",
        "build",
        "serve",
        "keys",
        "simulate",
        "status",
        "quarantine",
        "doctor",
        "demo",
    ):
        assert f"\n  {name} " in done.out
    assert not command.home.exists()
