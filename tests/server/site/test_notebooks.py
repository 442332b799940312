from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from tests.server.in_process import App, application
from tests.server.site.live_rows import BTC, live_rows

from aperiodic import IncompleteDataWarning
from aperiodic.server.site.notebooks.model import NOTEBOOKS, SOURCES, Cell, Output, notebook, parse_cells
from aperiodic.server.site.notebooks.run import run_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.site.market import Market

IPYNB = ".ipynb"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with application(tmp_path_factory.mktemp("home")) as running:
        yield running


def shape(outputs: list[Output]) -> list[tuple[bool, bool]]:
    return [(bool(output.text), output.figure is not None) for output in outputs]


def source(name: str) -> bytes:
    return (SOURCES / f"{name.replace('-', '_')}.py").read_bytes()


def of_the_small_market(text: bytes) -> bytes:
    """The market of tests has one venue."""
    text = text.replace(b"hyperliquid-perps", b"binance-futures")
    return text.replace(b"perpetual-BTC-USDC:USDC", BTC.encode())


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs(market: Market, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("APERIODIC_API_URL", f"{market.url}/api/v1")
    monkeypatch.setenv("APERIODIC_API_KEY", market.key)
    lives = live_rows(market.home, seconds=400) if name == "live" else nullcontext()
    with lives, warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteDataWarning)  # the small market has one day of the month
        run = run_source(of_the_small_market(source(name)))
    assert shape(run.outputs) == shape(notebook(name).run.outputs)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_kept_outputs_are_of_this_very_source(name: str) -> None:
    kept = notebook(name)
    assert kept.run.source == kept.digest, "run make notebooks"
    assert len(kept.run.outputs) == sum(not cell.words for cell in kept.cells)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_kept_outputs_tell_nothing_of_where_they_were_made(name: str) -> None:
    text = "".join(f"{output.text}{output.figure}" for output in notebook(name).run.outputs)
    assert not re.search(r"ap_live_|/home/|/tmp/|/work/|localhost|127\.0\.0\.1", text)


def test_every_source_is_a_notebook_that_is_listed() -> None:
    assert {entry.name for entry in SOURCES.iterdir() if entry.name.endswith(".py")} == {
        f"{name.replace('-', '_')}.py" for name in NOTEBOOKS
    }


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_page_shows_code_and_what_it_printed_and_says_that_it_is_simulated(app: App, name: str) -> None:
    answer = app.client.get(f"/notebooks/{name}")
    kept = notebook(name)
    assert answer.status_code == 200
    assert f"<h1>{kept.title}</h1>" in answer.text
    assert "simulated data" in answer.text
    assert answer.text.count('<figure class="code"') == len(kept.run.outputs)
    for output in kept.run.outputs:
        assert output.figure is None or output.figure in answer.text
    printed = next(output.text for output in kept.run.outputs if output.text)
    assert printed.splitlines()[0] in html.unescape(answer.text)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_given_to_jupyter(app: App, name: str) -> None:
    answer = app.client.get(f"/notebooks/{name}{IPYNB}")
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}{IPYNB}"'
    document = json.loads(answer.content)
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    setup, *cells = document["cells"]
    assert f"{app.client.base_url}".rstrip("/") + "/api/v1" in setup["source"]
    assert [cell["cell_type"] for cell in cells] == [
        "markdown" if cell.words else "code" for cell in notebook(name).cells
    ]
    assert len({cell["id"] for cell in document["cells"]}) == len(document["cells"])
    figures = [
        output["data"]["image/svg+xml"]
        for cell in document["cells"]
        for output in cell.get("outputs", [])
        if output["output_type"] == "display_data"
    ]
    assert figures == [output.figure for output in notebook(name).run.outputs if output.figure]


def test_a_downloaded_notebook_runs_as_it_is(market: Market, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is set but the key, which nobody is here to type."""
    pytest.importorskip("nbclient", reason="nbclient is not installed")
    file = tmp_path / "first-frame.ipynb"
    file.write_text(market.page("/notebooks/first-frame.ipynb"), encoding="utf-8")
    monkeypatch.delenv("APERIODIC_API_URL", raising=False)
    monkeypatch.setenv("APERIODIC_API_KEY", market.key)
    run = "from nbclient.cli import main; main(['--inplace', '--timeout=60', 'first-frame.ipynb'])"
    subprocess.run([sys.executable, "-c", run], cwd=tmp_path, check=True, timeout=120)
    outputs = [output for cell in json.loads(file.read_text())["cells"] for output in cell.get("outputs", [])]
    assert any("shape" in str(output.get("data", output)) for output in outputs)
    assert not any(output["output_type"] == "error" for output in outputs)


def test_the_first_cell_asks_for_a_key_where_none_is_set(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = json.loads(app.client.get("/notebooks/live.ipynb").content)["cells"][0]["source"]
    code = setup.replace("%pip install", "assert False, ")  # what Jupyter alone can run; the client is here
    monkeypatch.setattr("getpass.getpass", lambda _: "")
    for name in ("APERIODIC_API_URL", "APERIODIC_API_KEY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    exec(re.sub("assert False,  --quiet .*", "raise AssertionError", code), {})  # noqa: S102 - running it is the test
    assert os.environ["APERIODIC_API_KEY"] == "DEMO-KEY"
    assert os.environ["APERIODIC_API_URL"] == f"{app.client.base_url}".rstrip("/") + "/api/v1"


def test_the_list_leads_to_all_of_them(app: App) -> None:
    text = app.client.get("/notebooks").text
    for name in NOTEBOOKS:
        assert f'href="/notebooks/{name}"' in text
        assert f'href="/notebooks/{name}{IPYNB}"' in text


@pytest.mark.parametrize("name", ["none", "first-frame.py", "../run", f"none{IPYNB}"])
def test_other_names_lead_nowhere(app: App, name: str) -> None:
    assert app.client.get(f"/notebooks/{name}", headers={"Accept": "text/html"}).status_code == 404


def test_cells_begin_at_their_marks() -> None:
    text = "import this_is_no_cell\n# %% [markdown]\n# # Title\n#\n# Words\n\n# %%\nx = 1  # one\n\n\n# %%\nx\n"
    assert parse_cells(text) == (
        Cell(words=True, text="# Title\n\nWords"),
        Cell(words=False, text="x = 1  # one"),
        Cell(words=False, text="x"),
    )


def test_a_run_shows_what_a_cell_printed_its_last_value_and_its_figure() -> None:
    text = (
        b"# %%\nprint(1)\n2\n# %%\nx = 3\n# %%\n"
        b"class Drawn:\n    def _repr_svg_(self): return '<svg/>'\nprint(x)\nDrawn()\n# %%\nNone\n"
    )
    assert run_source(text).outputs == [Output("1\n2\n"), Output(""), Output("3\n", "<svg/>"), Output("")]


def test_a_cell_that_fails_fails_the_run() -> None:
    with pytest.raises(ZeroDivisionError):
        run_source(b"# %%\n1 / 0\n")
