from __future__ import annotations

import pytest

from aperiodic.catalog import DATASETS
from aperiodic.cli.explaining import explain, find_fields
from aperiodic.market import InvalidInputError


def test_every_field_of_the_catalog_is_explained() -> None:
    for dataset in DATASETS.values():
        for field in dataset.fields:
            (facts,) = find_fields(f"{dataset.id}.{field.name}")
            assert dict(facts)["Meaning"] == field.description


def test_a_field_is_found_by_its_name_alone_or_with_its_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    explain(["flow.flow_entropy"])
    assert capsys.readouterr().out.startswith("Field       flow.flow_entropy (Flow Entropy)\n")
    explain(["volume"])
    shown = capsys.readouterr().out
    assert "trade_size.volume" in shown
    assert "ohlcv.volume" in shown


@pytest.mark.parametrize("name", ["flow_entropi", "flow.flow_entropi"])
def test_an_unknown_field_names_the_nearest(name: str) -> None:
    with pytest.raises(InvalidInputError, match=r"Did you mean .*flow_entropy") as refused:
        find_fields(name)
    assert refused.value.code == "unknown_field"


def test_names_are_counted_as_names() -> None:
    names = {field.name for dataset in DATASETS.values() for field in dataset.fields}
    with pytest.raises(InvalidInputError) as refused:
        find_fields("flow_entropyy")
    assert f"There are {len(names)} names." in str(refused.value.hint)
