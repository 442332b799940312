"""A dataset, and a field, that a test adds to the catalog: files' columns, API, pages and SDK follow from it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.added import DATASET, FIELD, added, with_field
from tests.server.conftest import publish, query
from tests.server.in_process import application

from aperiodic.catalog import DATASETS, reference
from aperiodic.client import function_writer
from aperiodic.engine.examples import example_bars
from aperiodic.engine.reference import example_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.in_process import App


@pytest.fixture(scope="class")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with added(DATASET), application(tmp_path_factory.mktemp("home")) as made:
        publish(made.lake, date(2025, 5, 1), dataset=DATASET.id)
        yield made


class TestDataset:
    """What follows from a dataset that is added, as one installation serves it."""

    def test_a_dataset_stands_with_its_category(self, app: App) -> None:
        entries = app.client.get("/api/v1/metadata/catalog").json()["metrics"]
        names = [entry["id"] for entry in entries]
        assert names == list(DATASETS)
        assert names.index("toy") == len([entry for entry in entries if entry["category"] == "Trades"]) - 1
        (entry,) = [entry for entry in entries if entry["id"] == "toy"]
        assert (entry["tier"], entry["driving"], entry["fields"][0]["name"]) == (2, "trades", "average_toy")

    def test_a_dataset_can_be_asked_for_by_the_plans_of_its_tier(self, app: App) -> None:
        days = {"start_date": "2025-05-01", "end_date": "2025-05-31"}
        answer = app.client.get("/api/v1/data/toy", params=query(**days), headers=app.headers("pro"))
        assert [(file["year"], file["month"]) for file in answer.json()["files"]] == [(2025, 5)]
        assert DATASET.link_host == "trade-metrics"
        refused = app.client.get("/api/v1/data/toy", params=query(**days), headers=app.headers("starter")).json()
        assert refused["code"] == "metric_not_in_plan"
        wrong = app.client.get("/api/v1/data/toyy", params=query(**days), headers=app.headers("pro")).json()
        assert "'toy'" in wrong["hint"]

    def test_a_dataset_is_in_every_document(self, app: App) -> None:
        document = app.client.get("/api/v1/openapi.json").json()
        parameters = document["paths"]["/api/v1/data/{metric}"]["get"]["parameters"]
        assert "toy" in parameters[0]["schema"]["enum"]
        assert f"{len(DATASETS)} datasets" in document["info"]["description"]
        for path in ("/llms.txt", "/llms-full.txt", "/api-docs", "/catalog", "/plans", "/families/order-flow"):
            assert "toy" in app.client.get(path).text, path
        assert FIELD.description in app.client.get("/llms-full.txt").text

    def test_a_dataset_has_a_page_with_samples(self, app: App) -> None:
        answer = app.client.get("/catalog/toy")
        assert answer.status_code == 200
        for words in (DATASET.description, FIELD.label, FIELD.description, "get_metrics", "metric="):
            assert words in answer.text


def test_a_dataset_is_computed_and_explained() -> None:
    with added(DATASET):
        bars = example_bars(DATASET)
        assert dict(bars.schema) == dict(DATASET.schema)
        ohlcv, sizes = example_bars(DATASETS["ohlcv"]), example_bars(DATASETS["trade_size"])
        assert bars["average_toy"].to_list() == pytest.approx((ohlcv["volume_notional"] / sizes["n_trades"]).to_list())
        assert FIELD.description in reference.catalog_page() + reference.dataset_page(DATASET)
        assert FIELD.name in example_page(DATASET)


def test_a_dataset_is_among_the_types_and_words_of_the_sdk() -> None:
    before = function_writer.modules()
    with added(DATASET):
        after = function_writer.modules()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"known.py", "functions/metrics.py", "functions/trade_metrics.py"}
    assert '"toy"' in after["known.py"]
    assert function_writer.modules() == before


def test_a_field_is_everywhere_that_its_dataset_is(tmp_path: Path) -> None:
    with added(with_field("flow")), application(tmp_path) as app:
        metrics = app.client.get("/api/v1/metadata/catalog").json()["metrics"]
        pages = [app.client.get(path).text for path in ("/llms-full.txt", "/catalog/flow")]
    (entry,) = [entry for entry in metrics if entry["id"] == "flow"]
    assert entry["fields"][-1] == {
        "name": FIELD.name,
        "label": FIELD.label,
        "description": FIELD.description,
        "unit": FIELD.unit,
        "formula": FIELD.formula,
        "null": "never",
        "type": "Float64",
        "highlight": None,
    }
    assert all(FIELD.description in page for page in pages)


def test_a_field_is_computed_beside_the_others() -> None:
    whole = with_field("flow")
    with added(whole):
        bars = example_bars(whole)
    assert bars.columns == [*DATASETS["flow"].schema, FIELD.name]
    assert bars.schema[FIELD.name] == pl.Float64()
    assert bars.drop(FIELD.name).equals(example_bars(DATASETS["flow"]))
