from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

from tests.cli.conftest import simulate

from aperiodic.lake import Lake, Settings

if TYPE_CHECKING:
    from tests.cli.conftest import Market


def test_results_are_on_stdout_and_progress_on_stderr(market: Market) -> None:
    assert market.simulated.returncode == 0
    assert market.simulated.stdout.startswith(
        "Simulated 2 days of perpetual-BTC-USDT:USDT on binance-futures (seed 1)."
    )
    assert market.built.returncode == 0
    assert market.built.stdout.startswith("Built days: 3, published months: 1")
    assert "tasks of days: " in market.built.stderr


def test_doing_it_again_does_nothing(market: Market) -> None:
    assert simulate(market.shell, "2025-05-03", "2025-05-04").stdout == "These days are simulated already.\n"
    assert market.shell.run("build").stdout == "Everything is up to date.\n"


def test_status_names_what_is_held_where_it_came_from_and_what_is_missing(market: Market) -> None:
    heading, series, gap = market.shell.run("status").stdout.splitlines()
    values = dict(zip(heading.split(), series.split(), strict=True))
    assert values == {
        "Exchange": "binance-futures",
        "Symbol": "perpetual-BTC-USDT:USDT",
        "Ticks": "trades",
        "Days": "3",
        "From": "2025-05-01",
        "To": "2025-05-04",
        "Rows": "1,500",
        "Source": "simulated",
        "Gaps": "1",
        "Months": "1",
    }
    expected = (
        r"gap: binance-futures perpetual-BTC-USDT:USDT trades 2025-05-01 23:\S+ to 2025-05-03 00:\S+: .+ missing \(.+\)"
    )
    assert re.fullmatch(expected, gap)


def test_two_builds_at_once_are_refused(market: Market) -> None:
    with closing(Lake.open(Settings(home=market.shell.home))) as lake, lake.writing():
        done = market.shell.run("build")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Another import or build is running: process" in done.stderr
    assert "Wait for it to finish" in done.stderr


def test_an_empty_installation_says_how_to_begin(market: Market) -> None:
    done = market.shell.run("status", "--exchange", "okx-perps")
    assert (done.returncode, done.stdout.split(".")[0]) == (0, "No ticks yet")
