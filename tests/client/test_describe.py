from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from tests.client.mock_api import Reply, json_reply
from tests.client.test_client import client_of

import aperiodic
from aperiodic.catalog import DATASETS

if TYPE_CHECKING:
    from tests.client.mock_api import FakeApi

CATALOG = "/api/v1/metadata/catalog"
SWEEP: dict[str, Any] = {
    "id": "sweep",
    "name": "Sweeps",
    "description": "Orders that took <b>several</b> levels.",
    "category": "Trades",
    "tier": 2,
    "driving": "trades",
    "intervals": ["1h"],
    "timestamps": ["true"],
    "fields": [
        {
            "name": "sweeps",
            "label": "Sweeps",
            "unit": "count",
            "description": "How\nmany.",
            "null": "never",
            "type": "Int64",
        }
    ],
}


def declare(fake: FakeApi, *entries: Any) -> None:
    fake.api.on(CATALOG, json_reply({"metrics": list(entries)}))


def test_the_whole_catalog_is_an_overview() -> None:
    described = aperiodic.describe()
    assert (described.kind, described.name) == ("catalog", "")
    assert described.frame["dataset"].to_list() == list(DATASETS)
    assert described.frame["fields"].to_list() == [len(dataset.fields) for dataset in DATASETS.values()]
    assert all(name in str(described) for name in DATASETS)
    assert described._repr_html_().count("<tr>") == len(DATASETS) + 1


@pytest.mark.parametrize("name", list(DATASETS))
def test_a_dataset_is_described_with_every_field(name: str) -> None:
    described = aperiodic.describe(name)
    declared = DATASETS[name]
    assert described.kind == "dataset"
    assert described.frame.select("field", "unit", "formula", "null", "description").rows() == [
        (field.name, str(field.unit), field.formula, field.null, field.description) for field in declared.fields
    ]
    text, page = str(described), described._repr_html_()
    assert all(field.name in text and f">{field.name}<" in page for field in declared.fields)
    assert " ".join(declared.description.split()[:5]) in " ".join(text.split())


def test_a_field_is_described_with_unit_formula_and_null_rule() -> None:
    described = aperiodic.describe("flow.flow_toxicity_score")
    field = next(field for field in DATASETS["flow"].fields if field.name == "flow_toxicity_score")
    assert described.frame.row(0, named=True) == {
        "dataset": "flow",
        "field": field.name,
        "label": field.label,
        "unit": str(field.unit),
        "description": field.description,
        "formula": field.formula,
        "null": field.null,
        "type": "Float64",
        "highlight": field.highlight,
    }
    told = " ".join(repr(described).split())
    assert f"Unit {field.unit}" in told
    assert f"Formula {field.formula}" in told
    assert f"Null {field.null}" in told


def test_a_field_of_several_datasets_is_described_in_each() -> None:
    described = aperiodic.describe("volume")
    holders = [name for name, dataset in DATASETS.items() if "volume" in dataset.schema.names()]
    assert len(holders) > 1
    assert described.frame["dataset"].to_list() == holders
    assert str(described).count("Formula") == len(holders)


def test_nothing_is_asked_for_what_is_known_here(fake: FakeApi) -> None:
    with client_of(fake) as client:
        assert client.describe("flow").frame.equals(aperiodic.describe("flow").frame)
        assert client.describe("flow.flow_entropy").kind == "field"
        assert client.search("entropy").height == 1
    assert fake.api.asked == []


async def test_what_only_the_server_knows_is_described_in_its_words(fake: FakeApi) -> None:
    declare(fake, SWEEP)
    described = aperiodic.describe("sweep", base_url=fake.base_url)
    assert "Orders that took <b>several</b> levels." in " ".join(str(described).split())
    page = described._repr_html_()
    assert "&lt;b&gt;several" in page
    assert "<b>" not in page
    field = await aperiodic.describe_async("sweep.sweeps", base_url=fake.base_url)
    assert field.frame["description"].to_list() == ["How many."]
    assert all("x-api-key" not in asked.headers for asked in fake.api.asked)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("flw", "'flow'"),
        ("flow.flow_entrpy", "'flow.flow_entropy'"),
        ("flow_entrpy", "'flow_entropy'"),
        ("flw.flow_entropy", "'flow.flow_entropy'"),
    ],
)
def test_a_mistyped_name_gets_the_nearest(fake: FakeApi, name: str, meant: str) -> None:
    declare(fake, SWEEP)
    with pytest.raises(aperiodic.InvalidInputError, match=f"Did you mean {meant}") as caught:
        aperiodic.describe(name, base_url=fake.base_url)
    assert caught.value.code == "unknown_name"


def test_a_server_that_does_not_answer_is_said_beside_the_nearest_name(fake: FakeApi) -> None:
    fake.api.on(CATALOG, Reply(drop=True))
    with pytest.raises(aperiodic.InvalidInputError, match=r"Did you mean 'flow'.*could not be asked"):
        aperiodic.describe("flw", base_url=fake.base_url)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"metrics": 3},
        {
            "metrics": [
                3,
                {},
                {"id": 3},
                {"id": "odd", "fields": [1, {"name": ""}, {"name": "x"}], "tier": [], "intervals": {}},
            ]
        },
    ],
)
def test_an_odd_catalog_is_read_as_far_as_it_goes(fake: FakeApi, body: dict[str, Any]) -> None:
    fake.api.on(CATALOG, json_reply(body))
    assert aperiodic.search("flow", server=True, base_url=fake.base_url).height > 0
    if body.get("metrics", 3) != 3:
        assert aperiodic.describe("odd", base_url=fake.base_url).frame["field"].to_list() == ["x"]


@pytest.mark.parametrize("name", [3, [], ""])
def test_a_name_has_to_be_text(fake: FakeApi, name: Any) -> None:
    declare(fake)
    with pytest.raises(aperiodic.InvalidInputError):
        aperiodic.describe(name, base_url=fake.base_url)


@pytest.mark.parametrize(
    ("text", "best"),
    [
        ("imbalance", "l1_imbalance"),
        ("imbalnce", "l1_imbalance"),
        ("flow entropy", "flow.flow_entropy"),
        ("flow_entropy", "flow.flow_entropy"),
        ("FUNDNG rate", "funding.funding_rate"),
        ("toxicity", "flow.flow_toxicity_score"),
        ("candlesticks", "ohlcv"),
        ("liquidations", "flow.flow_entropy"),
    ],
)
def test_words_and_mistyped_words_find_what_they_mean(text: str, best: str) -> None:
    found = aperiodic.search(text)
    assert found["name"][0] == best
    assert found["score"].is_sorted(descending=True)


def test_what_fits_all_words_comes_alone_and_without_it_what_fits_any() -> None:
    spread = set(aperiodic.search("spread", limit=1000)["name"])
    bps = set(aperiodic.search("bps", limit=1000)["name"])
    assert set(aperiodic.search("spread bps", limit=1000)["name"]) == spread & bps != spread
    assert aperiodic.search("entropy zzzzzzzz")["name"].to_list() == ["flow.flow_entropy"]


def test_nothing_found_is_an_empty_frame_with_all_columns() -> None:
    found = aperiodic.search("zzzzzzzz")
    assert found.is_empty()
    assert found.schema["score"] == pl.Float64()


async def test_a_search_reaches_the_server_only_when_told(fake: FakeApi) -> None:
    declare(fake, SWEEP, {**SWEEP, "id": "flow", "name": "Not ours sweeps"})
    assert "sweep" not in aperiodic.search("sweeps", base_url=fake.base_url)["name"].to_list()
    assert fake.api.asked == []
    found = await aperiodic.search_async("sweeps", server=True, base_url=fake.base_url)
    assert found["name"].to_list()[:2] == ["sweep.sweeps", "sweep"]
    assert "flow" not in found["name"].to_list(), "what is known here keeps its words"


@pytest.mark.parametrize(
    ("text", "limit", "code"),
    [
        ("", 5, "bad_text"),
        ("  -- ", 5, "bad_text"),
        (3, 5, "bad_text"),
        ("flow", 0, "bad_limit"),
        ("flow", "5", "bad_limit"),
        ("flow", 10**9, "bad_limit"),
    ],
)
def test_a_search_without_words_or_with_an_odd_limit_is_refused(text: Any, limit: Any, code: str) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.search(text, limit=limit)
    assert caught.value.code == code


def test_a_huge_text_is_cut() -> None:
    assert aperiodic.search("imbalance " * 10_000)["name"][0] == "l1_imbalance"
    assert aperiodic.search("flow", limit=3).height == 3
