"""All code of all pages is run as a visitor copies it, with a key filled in."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Final

import httpx
import polars as pl
import pytest
from tests.server.site.market import BTC, Block
from tests.server.site.running import lacking, run_block, run_python
from tests.servers import make_key

from aperiodic.catalog import DATASETS
from aperiodic.server.site.well_known import page_paths

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.site.market import Market

KINDS: Final = {"python", "curl", "javascript", "cli", "duckdb"}
SYMBOL: Final = f"/symbols/binance-futures/{BTC}"
_NOTEBOOK: Final = "/notebooks/"
PAGES: Final = [*(path for path in page_paths() if not path.startswith(_NOTEBOOK)), "/account", SYMBOL]
"""test_notebooks.py runs the notebooks, each as a whole."""

WITH_SAMPLES: Final = {
    "/",
    "/get-started",
    SYMBOL,
    *(path for path in PAGES if path.startswith(("/families/", "/catalog/"))),
}
SILENT: Final = re.compile(r"pip install|curl --output|(APERIODIC_API_KEY=\S+ )?aperiodic get")
"""What prints nothing, or no more than a bar of progress, begins with these."""

FETCHED: Final = b"a file that was fetched"


def link_of(market: Market) -> str:
    query = f"timestamp=exchange&interval=1h&exchange=binance-futures&symbol={BTC}&start_date=2025-05-01&end_date=2025-05-01"
    answer = httpx.get(f"{market.url}/api/v1/data/ohlcv?{query}", headers={"X-API-KEY": market.key})
    link: str = answer.raise_for_status().json()["files"][0]["url"]
    return link


@pytest.mark.parametrize("page", PAGES)
def test_all_code_of_a_page_runs(market: Market, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str) -> None:
    key = make_key(market.home, "prime-raw")  # a page may spend it: rotating a key works once
    monkeypatch.setenv("APERIODIC_API_URL", f"{market.url}/api/v1")
    monkeypatch.setenv("APERIODIC_API_KEY", key)
    (tmp_path / "data.parquet").write_bytes(FETCHED)
    for block in market.blocks(page):
        if block.language == "text":
            continue
        if missing := lacking(block.language):
            pytest.skip(f"{', '.join(missing)} is not installed")
        text = block.text.replace(market.key, key).replace("YOUR-LINK", link_of(market))
        printed = run_block(Block(block.language, block.label, text), tmp_path, market.home)
        assert printed.strip() or SILENT.match(text), text
        if text.startswith("sha256sum"):
            assert hashlib.sha256(FETCHED).hexdigest() in printed
        if re.search(r"/data/(preview/)?\w+\?", text) and text.startswith("curl"):
            assert json.loads(printed)["files"]
    if page in WITH_SAMPLES:
        check_samples(market.samples(page), tmp_path)


def check_samples(samples: dict[str, str], folder: Path) -> None:
    """Look whether every language has given the same rows; all but the Python have left their files."""
    assert samples.keys() == KINDS
    frame = run_python(samples["python"])[0]["df"]
    (name,) = re.findall(r'metric="(\w+)"', samples["python"])
    assert frame.schema == DATASETS[name].schema
    assert frame.height > 0
    assert pl.read_parquet(folder / f"{name}.parquet").equals(frame), "of the command line"
    # The market has one day of the month, so that a whole file is the same as the days that were asked for.
    assert pl.read_parquet(folder / f"{name}-2025-05.parquet").equals(frame), "of JavaScript and DuckDB"


@pytest.mark.parametrize("document", ["/llms.txt", "/llms-full.txt"])
def test_programs_for_agents_run(market: Market, monkeypatch: pytest.MonkeyPatch, document: str) -> None:
    monkeypatch.setenv("APERIODIC_API_URL", f"{market.url}/api/v1")
    monkeypatch.setenv("APERIODIC_API_KEY", market.key)
    programs = re.findall(r"^```python\n(.*?)^```$", market.page(document), re.DOTALL | re.MULTILINE)
    assert programs
    for program in programs:
        assert run_python(program)[1].strip()


def test_code_that_is_wrong_does_not_pass(market: Market, tmp_path: Path) -> None:
    for language, text in (
        ("bash", f'curl "{market.url}/api/v1/data/ohlcv"'),
        ("bash", "pip install aperiodic"),
        ("javascript", 'throw new Error("no")'),
    ):
        if not lacking(language):
            with pytest.raises(AssertionError):
                run_block(Block(language, "", text), tmp_path, market.home)


def test_chosen_parameters_are_those_of_the_samples(market: Market) -> None:
    samples = market.samples("/catalog/flow?interval=15m&timestamp=true&start_date=2025-05-01&end_date=2025-05-01")
    assert samples.keys() == KINDS
    for kind in KINDS:
        days = ("date(2025, 5, 1)", "date(2025, 5, 31)") if kind == "python" else ("2025-05-01", "2025-05-31")
        for word in ("15m", "true", days[0]):
            assert word in samples[kind]
        assert days[1] not in samples[kind]
