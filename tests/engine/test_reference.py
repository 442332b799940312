from __future__ import annotations

from pathlib import Path

import pytest

from aperiodic.catalog import DATASETS, Dataset, Field
from aperiodic.cli.explaining import EXPLANATIONS
from aperiodic.engine.examples import example_bars
from aperiodic.engine.reference import example_page, explain, explanations

PAGES = Path(__file__).parents[2] / "docs" / "datasets"
FIELDS = [
    pytest.param(dataset, field, id=f"{dataset.id}.{field.name}")
    for dataset in DATASETS.values()
    for field in dataset.fields
]


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=list(DATASETS))
def test_the_pages_in_docs_are_those_made_from_catalog_and_engine(dataset: Dataset) -> None:
    assert (PAGES / f"{dataset.id}.md").read_text(encoding="utf-8") == example_page(dataset), (
        "docs/datasets differs from the catalog: run make docs"
    )


def test_docs_hold_no_page_of_a_dataset_that_is_not_there() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == set(DATASETS)


@pytest.mark.parametrize(("dataset", "field"), FIELDS)
def test_every_field_has_words_and_an_example_with_a_number(dataset: Dataset, field: Field) -> None:
    facts = dict(explain(dataset, field))
    assert all(facts[heading].strip() for heading in ("Meaning", "Unit", "Formula", "Null", "Example"))
    assert example_bars(dataset)[field.name].is_not_null().any()


def test_the_explanations_of_the_command_line_are_those_made_from_catalog_and_engine() -> None:
    assert EXPLANATIONS.read_text(encoding="utf-8") == explanations(), (
        f"{EXPLANATIONS.name} differs from the catalog: run make docs"
    )
