"""Every Python sample of the README, the guides and the other pages runs as it stands."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.docs.samples import PAGES_WITH_PYTHON, ROOT, samples
from tests.server.site.live_rows import BTC, live_rows

import aperiodic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.server.site.market import Market

_ETH: Final = "perpetual-ETH-USDT:USDT"
"""Not in the market of these tests."""


def check_clocks(names: dict[str, Any], _: Path) -> None:
    assert names["joined"].drop_nulls().height > 0
    assert names["late"].is_empty()


def check_large_downloads(names: dict[str, Any], folder: Path) -> None:
    assert names["hourly"].height == 24
    assert (folder / "bars" / "manifest.json").is_file()
    assert len(names["paths"]) == 2


def check_duckdb(names: dict[str, Any], _: Path) -> None:
    assert names["hours"].height == 24
    assert names["joined"]["flow_entropy"].equals(names["same"]["flow_entropy"])
    assert names["joined"].drop_nulls().height > 0


def check_pandas(names: dict[str, Any], _: Path) -> None:
    assert names["every_hour"].height == 24


def check_completeness(names: dict[str, Any], _: Path) -> None:
    assert names["bars"].height == 24


def check_discovering(names: dict[str, Any], _: Path) -> None:
    assert names["estimate"].files == 2
    assert all(months == ("2025-06",) for months in names["estimate"].missing.values())


def check_research(names: dict[str, Any], folder: Path) -> None:
    assert names["every_minute"].height == 24 * 60
    assert names["both"].drop_nulls().height > 0
    assert (folder / "chart.html").stat().st_size > 10_000


CHECKS: Final[dict[str, Callable[[dict[str, Any], Path], None]]] = {
    "docs/guides/clocks.md": check_clocks,
    "docs/guides/completeness.md": check_completeness,
    "docs/guides/duckdb.md": check_duckdb,
    "docs/guides/large_downloads.md": check_large_downloads,
    "docs/guides/pandas.md": check_pandas,
    "docs/discovering.md": check_discovering,
    "docs/research.md": check_research,
}


@pytest.mark.parametrize("name", PAGES_WITH_PYTHON)
def test_the_samples_of_a_page_run(
    market: Market,
    access: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    for variable, value in access.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}  # later samples go on with what earlier ones made
    lives = live_rows(market.home, seconds=1500) if name == "docs/live.md" else nullcontext()
    with lives, warnings.catch_warnings():
        warnings.simplefilter("ignore", aperiodic.IncompleteDataWarning)  # the small market has one day
        for sample in samples(PAGES_WITH_PYTHON[name]):
            exec(compile(sample.replace(_ETH, BTC), name, "exec"), names)  # noqa: S102 - the project's own pages
            assert capsys.readouterr().out.strip(), sample
    if name in CHECKS:
        CHECKS[name](names, tmp_path)


def test_guides_and_the_pages_of_the_client_have_samples() -> None:
    guides = {str(page.relative_to(ROOT)) for page in ROOT.glob("docs/guides/*.md")}
    pages = {f"docs/{name}.md" for name in ("index", "client", "discovering", "research", "live")}
    assert len(guides) >= 8
    assert PAGES_WITH_PYTHON.keys() >= guides | pages | {"README.md"}
    assert CHECKS.keys() <= PAGES_WITH_PYTHON.keys()
