"""A script, IPython, and the kernel of a notebook."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.environments.conftest import Place

FETCH: Final = """
frame = aperiodic.get_metrics(metric="ohlcv", **REQUEST)
again = aperiodic.Client().get_metrics("ohlcv", **REQUEST)
assert again.equals(frame)
frame.write_parquet("frame.parquet")
"""

CELLS: Final = (
    "frame = aperiodic.get_metrics(metric='ohlcv', **REQUEST)\nframe.write_parquet('blocking.parquet')",
    "(await aperiodic.get_metrics_async(metric='ohlcv', **REQUEST)).write_parquet('awaited.parquet')",
    "aperiodic.Client().get_metrics('ohlcv', **REQUEST).write_parquet('client.parquet')",
    (
        "async with aperiodic.AsyncClient() as client:\n"
        "    (await client.get_metrics('ohlcv', **REQUEST)).write_parquet('async_client.parquet')"
    ),
    (
        "await asyncio.gather(*[asyncio.to_thread(aperiodic.get_metrics, metric='ohlcv', **REQUEST) for _ in range(3)])\n"
        "aperiodic.Client(cache=False).get_metrics('ohlcv', **REQUEST).write_parquet('without_cache.parquet')"
    ),
    (
        "try:\n    aperiodic.get_metrics(metric='ohlvc', **REQUEST)\nexcept aperiodic.InvalidInputError as error:\n"
        "    print(error.code)"
    ),
    "frame",
)


def test_a_plain_script(place: Place, tmp_path: Path) -> None:
    done = place.run("-W", "error", "-c", place.code(FETCH), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "100%" in done.stderr, "no progress bar"
    assert "Warning" not in done.stderr
    assert place.is_right(tmp_path / "frame.parquet")
    assert place.fetched() == 1


def test_a_script_whose_errors_are_not_caught_says_what_to_do(place: Place, tmp_path: Path) -> None:
    done = place.run("-c", place.code("aperiodic.get_metrics(metric='ohlvc', **REQUEST)"), cwd=tmp_path)
    assert done.returncode == 1
    assert "ohlcv" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("code", [FETCH, FETCH.replace("aperiodic.get_metrics(", "await aperiodic.get_metrics_async(")])
def test_ipython(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    pytest.importorskip("IPython", reason="IPython is not installed")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    done = place.run("-m", "IPython", "--no-banner", "--colors=NoColor", "-c", place.code(code), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.is_right(tmp_path / "frame.parquet")


def test_the_kernel_of_a_notebook(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    outputs = _run_cells(place, tmp_path, [place.code("import asyncio"), *CELLS])
    for name in ("blocking", "awaited", "client", "async_client", "without_cache"):
        assert place.is_right(tmp_path / f"{name}.parquet"), name
    assert place.fetched() == 1
    bar = "".join(output["text"] for output in outputs[1] if output["output_type"] == "stream")
    assert "100%" in bar, "no progress bar"
    assert [output["text"] for output in outputs[-2]] == ["unknown_metric\n"]
    [shown] = outputs[-1]
    assert f"shape: ({place.frame.height}, " in "".join(shown["data"]["text/plain"])
    assert "text/html" in shown["data"]


def _run_cells(place: Place, folder: Path, cells: list[str]) -> list[list[dict[str, Any]]]:
    """Run cells in a real kernel; return what each of them put out."""
    blank: dict[str, Any] = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    book = {
        "cells": [{**blank, "id": f"cell-{place}", "source": source} for place, source in enumerate(cells)],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = folder / "book.ipynb"
    path.write_text(json.dumps(book), encoding="utf-8")
    run = "from nbclient.cli import main; main(['--inplace', '--timeout=60', 'book.ipynb'])"
    done = place.run("-c", run, cwd=folder)
    assert done.returncode == 0, done.stderr
    found = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for output in cell["outputs"]:
            if isinstance(output.get("text"), list):
                output["text"] = "".join(output["text"])
        found.append(cell["outputs"])
    return found
