from __future__ import annotations

import re

import pytest

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


def test_what_a_highlight_refers_to_exists() -> None:
    for declared in DATASETS.values():
        for field in declared.fields:
            names = set(re.findall(r"`([^`]+)`", field.highlight or ""))
            assert names <= KNOWN | NO_FIELD, field.name
