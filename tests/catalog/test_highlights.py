from __future__ import annotations

import re

import pytest
from tests.catalog.contract import FIRST

from aperiodic.catalog import DATASETS

KNOWN = DATASETS.keys() | {field.name for declared in DATASETS.values() for field in declared.fields}
NO_FIELD = {"exchange", "true"}


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_says_what_to_look_at_first(name: str) -> None:
    highlighted = [field for field in DATASETS[name].fields if field.highlight is not None]
    assert 2 <= len(highlighted) <= 6


@pytest.mark.parametrize("name", DATASETS)
def test_a_highlight_is_a_sentence_or_two_of_its_own(name: str) -> None:
    for field in DATASETS[name].fields:
        if field.highlight is not None:
            assert field.highlight != field.description
            assert field.highlight[0].isupper()
            assert 20 <= len(field.highlight) <= 220, field.name
            assert len(re.findall(r"[.?!](?:\s|$)", field.highlight)) <= 2, field.name


@pytest.mark.parametrize("name", FIRST)
def test_highlights_stand_in_the_order_of_the_contract(name: str) -> None:
    assert [field.name for field in DATASETS[name].highlights] == FIRST[name].split()


@pytest.mark.parametrize("name", DATASETS)
def test_every_highlight_is_told_once(name: str) -> None:
    highlighted = [field for field in DATASETS[name].fields if field.highlight is not None]
    assert sorted(DATASETS[name].highlights, key=highlighted.index) == highlighted


@pytest.mark.parametrize("name", DATASETS)
def test_a_caveat_ends_the_description_and_the_rest_is_a_sentence(name: str) -> None:
    for field in DATASETS[name].fields:
        assert field.description.endswith(field.caveat)
        assert field.own_description.endswith(".")
        assert not field.own_description.endswith((" .", ";.", ".."))
        assert len(field.own_description) > 10
        if field.caveat:
            assert field.caveat not in field.own_description


def test_what_a_highlight_refers_to_exists() -> None:
    for declared in DATASETS.values():
        for field in declared.fields:
            names = set(re.findall(r"`([^`]+)`", field.highlight or ""))
            assert names <= KNOWN | NO_FIELD, field.name
