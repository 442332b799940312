from __future__ import annotations

from itertools import groupby

import polars as pl
import pytest
from tests.catalog.contract import CONTRACT, LABELS, NOTIONAL_OVER_QUANTITY

from aperiodic.catalog import DATASETS, Category, Dataset, Field, Unit, dataset
from aperiodic.market import InvalidInputError

FIELDS = [pytest.param(found, id=f"{name}.{found.name}") for name in DATASETS for found in DATASETS[name].fields]
EVERY_DATASET = pytest.mark.parametrize("declared", DATASETS.values(), ids=list(DATASETS))


def test_the_contract_is_written_out_whole() -> None:
    counts = {name: len(expected.columns) for name, expected in CONTRACT.items()}
    assert list(counts.values()) == [6, 2, 36, 24, 10, 5, 14, 7, 6, 10, 12, 10, 14, 24, 16, 8, 3, 4, 9]
    assert all(len(labels) == counts[name] for name, labels in LABELS.items())


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_has_the_fields_of_the_contract_in_its_order_and_of_its_types(name: str) -> None:
    fields = {field: pl.Int64() if integer else pl.Float64() for field, integer in CONTRACT[name].columns}
    expected = {"time": pl.Datetime("us"), **fields}
    assert list(DATASETS[name].schema.items()) == list(expected.items())


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_is_named_and_placed_as_in_the_contract(name: str) -> None:
    declared, expected = DATASETS[name], CONTRACT[name]
    assert declared.id == name
    assert (declared.name, declared.category) == (expected.name, expected.category)
    assert (declared.tier, declared.driving) == (expected.tier, expected.driving)
    assert declared.description.endswith(".")


@pytest.mark.parametrize("name", sorted(DATASETS.keys() & LABELS.keys()))
def test_labels_are_those_of_the_contract(name: str) -> None:
    assert [field.label for field in DATASETS[name].fields] == LABELS[name]


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_says_what_it_is(field: Field) -> None:
    assert field.label == field.label.strip() != ""
    assert field.description.endswith(".")
    assert field.formula.strip()
    assert field.null.strip()
    assert field.unit in set(Unit)
    assert field.highlight is None or field.highlight.endswith(".")


@pytest.mark.parametrize("name", DATASETS)
def test_labels_and_names_are_unique_within_a_dataset(name: str) -> None:
    fields = DATASETS[name].fields
    assert len({field.name for field in fields}) == len({field.label for field in fields}) == len(fields)


@pytest.mark.parametrize("name", DATASETS)
def test_whole_numbers_are_counts(name: str) -> None:
    for field in DATASETS[name].fields:
        assert not field.integer or field.unit is Unit.COUNT, field.name


@pytest.mark.parametrize("name", DATASETS)
def test_notional_over_quantity_is_called_by_its_unit_and_cautioned_against(name: str) -> None:
    fields = DATASETS[name].fields
    assert {field.name for field in fields if field.unit is Unit.QUOTE_PER_BASE} == NOTIONAL_OVER_QUANTITY.get(
        name, set()
    )
    for field in fields:
        if field.unit is Unit.QUOTE_PER_BASE:
            assert "Caution" in field.description
            assert "not a fraction of 1" in field.description


def test_other_percentages_are_fractions() -> None:
    for declared in DATASETS.values():
        for field in declared.fields:
            if field.name.endswith("_percentage") and field.unit is not Unit.QUOTE_PER_BASE:
                assert field.unit is Unit.FRACTION, field.name


def test_bucket_volumes_say_that_they_are_in_quote_units() -> None:
    buckets = [field for field in DATASETS["flow"].fields if field.name.endswith("_order_volume")]
    assert len(buckets) == 6
    for field in buckets:
        assert field.unit is Unit.QUOTE
        assert "quote units" in field.description


def test_the_highlights_of_flow_are_those_of_the_contract() -> None:
    assert {field.name for field in DATASETS["flow"].fields if field.highlight} == {
        "volume_delta_notional",
        "flow_toxicity_score",
        "flow_entropy",
        "taker_buy_sell_ratio",
        "taker_buy_large_order_percentage",
    }


def test_datasets_are_grouped_by_category_in_the_order_of_the_site() -> None:
    assert list(Category) == ["Trades", "Derivatives", "Market Data", "L1 (Top of Book)", "L2 (Order Book)"]
    groups = [category for category, _ in groupby(DATASETS.values(), key=lambda declared: declared.category)]
    assert groups == [category for category in Category if category in groups]


def test_the_catalog_cannot_be_changed_by_a_caller() -> None:
    with pytest.raises(TypeError):
        DATASETS["mine"] = DATASETS["flow"]  # type: ignore[index]


@EVERY_DATASET
def test_a_dataset_is_found_by_its_id(declared: Dataset) -> None:
    assert dataset(declared.id) is declared


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(InvalidInputError) as caught:
        dataset("ohlvc")
    assert (caught.value.code, caught.value.message) == ("unknown_metric", "Unknown metric 'ohlvc'.")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("Did you mean 'ohlcv'? Valid values: ")
