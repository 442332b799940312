from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aperiodic.catalog import DATASETS, Dataset
from aperiodic.catalog.reference import catalog_page, dataset_page

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"


def test_the_page_in_docs_is_the_one_made_from_the_catalog() -> None:
    assert PAGE.read_text(encoding="utf-8") == catalog_page(), (
        "docs/datasets.md differs from the catalog: run python -m aperiodic.catalog.reference > docs/datasets.md"
    )


def test_the_command_that_makes_the_page_prints_it_in_utf8_whatever_the_terminal() -> None:
    command = [sys.executable, "-X", "utf8=0", "-m", "aperiodic.catalog.reference"]
    printed = subprocess.run(
        command, env={**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}, capture_output=True, check=True
    )
    assert printed.stdout.decode("utf-8") == catalog_page()


@pytest.mark.parametrize("declared", DATASETS.values(), ids=lambda declared: declared.id)
def test_a_dataset_is_told_whole(declared: Dataset) -> None:
    page = dataset_page(declared)
    for told in (declared.id, declared.name, declared.category, f"tier {declared.tier}", declared.driving):
        assert told in page
    assert all(f"`{stream}`" in page for stream in declared.family.joined)
    assert declared.description in page
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [field.name for field in declared.fields]
    for field, row in zip(declared.fields, rows, strict=True):
        for told in (field.label, field.unit, field.description, field.formula, field.null):
            assert told.replace("|", r"\|") in row
        assert row.replace(r"\|", "").count("|") == 7
        assert field.highlight is None or f"- `{field.name}`: {field.highlight}" in page


def test_the_page_lists_every_dataset_with_a_link_to_its_page() -> None:
    page = catalog_page()
    for name, declared in DATASETS.items():
        row = f"| [`{name}`](datasets/{name}.md) | {declared.name} | {declared.category} | {declared.tier} | {declared.driving} |"
        assert row in page


@pytest.mark.parametrize(
    "rule",
    [
        "`1s` `15s` `30s` `1m` `5m` `15m` `30m` `1h` `4h` `1d`",
        "| small | n < 100 |",
        "| large | n ≥ 1,000 |",
        "never NaN",
    ],
)
def test_the_page_tells_the_rules_that_hold_for_all(rule: str) -> None:
    assert rule in catalog_page()
