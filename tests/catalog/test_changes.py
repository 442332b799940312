"""A definition that changes says so."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest

from aperiodic.catalog import DATASETS, Dataset, Field, Unit
from aperiodic.catalog.changes import CHANGES, changes_of, definition_digest


@pytest.mark.parametrize("name", DATASETS)
def test_the_newest_change_is_of_the_definition_of_today(name: str) -> None:
    newest = changes_of(name)[0]
    told = newest.digests[name]
    found = definition_digest(DATASETS[name])
    assert told == found, (
        f"The definition of {name} has changed: put an entry into aperiodic.catalog.changes that says what, "
        f"whether values change, and has the digest {found}."
    )


def test_changes_are_in_order_and_of_datasets_that_there_are() -> None:
    assert all(after.day <= before.day for before, after in pairwise(CHANGES))
    for change in CHANGES:
        assert change.digests.keys() <= DATASETS.keys()
        assert change.words.endswith(".")
    for name in DATASETS:
        digests = [change.digests[name] for change in changes_of(name)]
        assert all(after != before for before, after in pairwise(digests)), "an entry changes something"


def test_what_readers_rely_on_is_part_of_a_definition() -> None:
    flow = DATASETS["flow"]
    first, *others = flow.fields
    for other in (
        dataclasses.replace(first, name="x"),
        dataclasses.replace(first, label="x"),
        dataclasses.replace(first, formula="x"),
        dataclasses.replace(first, null="x"),
        dataclasses.replace(first, unit=Unit.COUNT),
    ):
        assert definition_digest(with_fields(flow, other, *others)) != definition_digest(flow)
    worded = dataclasses.replace(first, description="x")
    assert definition_digest(with_fields(flow, worded, *others)) == definition_digest(flow)
    assert definition_digest(with_fields(flow, *flow.fields[::-1])) != definition_digest(flow)


def with_fields(dataset: Dataset, *fields: Field) -> Dataset:
    return dataclasses.replace(dataset, fields=fields)
