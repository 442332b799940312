"""What plans know of families: the same whether it is kept or worked out, and never of other sources."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.edited_source import edited_package, run_edited
from tests.lakes import put_trades
from tests.oracle import trades_frame

import aperiodic
from aperiodic.catalog import DATASETS, Family
from aperiodic.engine.build import build
from aperiodic.engine.families import KERNELS
from aperiodic.engine.fingerprints import bars_digest, dataset_digest
from aperiodic.engine.recipes import recipes

if TYPE_CHECKING:
    from aperiodic.lake import Lake

NOON: Final = int(datetime(2025, 5, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000
HEAVY: Final = ("numba", "numpy", "polars")
KNOWN: Final = f"""
import json, sys
from dataclasses import asdict
from pathlib import Path
from aperiodic.engine.recipes import recipes
found = {{family: asdict(recipe) for family, recipe in recipes(Path(sys.argv[1])).items()}}
print(json.dumps([found, [name for name in {HEAVY} if name in sys.modules]]))
"""
ADDED: Final = """
import sys
from dataclasses import replace
from pathlib import Path
from aperiodic.catalog import DATASETS, Family, register
from aperiodic.engine.recipes import recipes
before = recipes(Path(sys.argv[1]))[Family.TRADES].datasets
register(replace(DATASETS["flow"], id="own_flow"))
print({*recipes(Path(sys.argv[1]))[Family.TRADES].datasets} - {*before})
"""
BUILD: Final = f"""
import atexit, sys
from aperiodic.cli import main
atexit.register(lambda: print([name for name in {HEAVY} if name in sys.modules]))
sys.argv = ["aperiodic", "build"]
main()
"""


def known(home: Path, path: Path = Path(aperiodic.__file__).parents[1]) -> tuple[dict[str, Any], list[str]]:
    """Return what a new process knows, and what it has loaded for that."""
    found, loaded = json.loads(run_edited(path, KNOWN, str(home)))
    return found, loaded


def test_what_is_kept_is_what_kernels_and_datasets_say(tmp_path: Path) -> None:
    worked_out, loaded = known(tmp_path)
    assert loaded == [*HEAVY]
    assert known(tmp_path) == (worked_out, [])
    assert [*worked_out] == [*KERNELS]
    for family, kernel in KERNELS.items():
        assert worked_out[family] == {
            "digest": bars_digest(family),
            "streams": [*kernel.columns],
            "looks_back": dict(kernel.looks_back),
            "datasets": {
                name: dataset_digest(dataset) for name, dataset in DATASETS.items() if dataset.family is family
            },
        }
        assert [*worked_out[family]["datasets"]] == [name for name in DATASETS if DATASETS[name].family is family]
    assert json.loads(json.dumps({family: recipe.digest for family, recipe in recipes(tmp_path).items()})) == {
        family: recipe["digest"] for family, recipe in worked_out.items()
    }


@pytest.mark.parametrize(
    ("file", "edit", "concerns"),
    [
        (
            "engine/partials/book.py",
            ("from __future__ import annotations\n", "from __future__ import annotations\n\n_ADDED = 1\n"),
            Family.BOOK,
        ),
        (
            "catalog/funding.py",
            ("p.rate_changes / p.interval_seconds,", "2 * p.rate_changes / p.interval_seconds,"),
            Family.FUNDING_RATE,
        ),
    ],
    ids=["kernel", "field"],
)
def test_what_is_kept_of_other_sources_is_not_used(
    file: str, edit: tuple[str, str], concerns: Family, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    as_it_is, _ = known(home)
    edited = edited_package(tmp_path / "edited", {file: edit})
    found, loaded = known(home, edited)
    assert loaded == [*HEAVY]
    assert {family for family in found if found[family] != as_it_is[family]} == {concerns}
    assert known(home, edited) == (found, [])
    assert known(home)[0] == as_it_is


@pytest.mark.parametrize("how", ["cut", "changed", "no text"])
def test_what_is_damaged_is_worked_out_anew(how: str, tmp_path: Path) -> None:
    whole, _ = known(tmp_path)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    digest = whole[Family.TRADES]["digest"].encode()
    damaged = {"cut": content[:-9], "changed": content.replace(digest, digest[::-1]), "no text": b"\xff\xfe"}[how]
    assert damaged != content
    file.write_bytes(damaged)
    assert known(tmp_path) == (whole, [*HEAVY])
    assert file.read_bytes() == content


def test_where_nothing_can_be_kept_it_is_worked_out(tmp_path: Path) -> None:
    there_is_none = tmp_path / "none"
    assert known(there_is_none) == known(tmp_path)
    assert not there_is_none.exists()


def test_a_dataset_that_is_added_is_planned(tmp_path: Path) -> None:
    known(tmp_path)
    assert run_edited(Path(aperiodic.__file__).parents[1], ADDED, str(tmp_path)) == "{'own_flow'}\n"


def test_a_build_that_finds_nothing_to_do_loads_no_kernels(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    put_trades(lake, trades_frame([(NOON, NOON, "buy", 100.0, 1.0)]))
    build(lake)
    known(lake.home)
    monkeypatch.setenv("APERIODIC_HOME", str(lake.home))
    done = subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True, check=True)
    assert done.stdout == "Everything is up to date.\n[]\n"
