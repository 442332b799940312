"""What a field means, in words and in one worked example: for `aperiodic explain` and for the pages of `docs/`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog import DATASETS, TIME_COLUMN
from aperiodic.catalog.reference import dataset_page, markdown_table
from aperiodic.engine.examples import example_bars, example_ticks

if TYPE_CHECKING:
    from aperiodic.catalog import Dataset, Field
    from aperiodic.market import Stream

__all__ = ["example_page", "explain", "explanations"]


def explain(dataset: Dataset, field: Field) -> list[tuple[str, str]]:
    """Return what there is to say of a field, as pairs of a heading and a text."""
    values = example_bars(dataset).select(TIME_COLUMN, field.name)
    example = ", ".join(f"{time:%H:%M} {_text(value)}" for time, value in values.iter_rows())
    facts = [
        ("Field", f"{dataset.id}.{field.name} ({field.label})"),
        ("Dataset", f"{dataset.name}: {dataset.description}"),
        ("Meaning", field.description),
        ("Unit", f"{field.unit}, {field.dtype}"),
        ("Formula", field.formula),
        ("Null", field.null),
    ]
    if field.highlight:
        facts.append(("Reading it", field.highlight))
    streams = ", ".join((dataset.driving, *dataset.family.joined))
    facts.append(("Example", f"{example} (1m bars of the example's {streams}, see docs/datasets/{dataset.id}.md)"))
    return facts


def explanations() -> str:
    """Return what there is to say of every field, by `dataset.field`, as JSON with a line a field."""
    lines = (
        f"{json.dumps(f'{dataset.id}.{field.name}')}: {json.dumps(explain(dataset, field), ensure_ascii=False)}"
        for dataset in DATASETS.values()
        for field in dataset.fields
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def example_page(dataset: Dataset) -> str:
    """Return a dataset's page in Markdown: what it holds, and an example worked through by the engine itself."""
    parts = [dataset_page(dataset), "## Worked example", _EXAMPLE_WORDS]
    for stream in (dataset.driving, *dataset.family.joined):
        parts += [f"Ticks of `{stream}`:", _tick_table(stream)]
    bars = example_bars(dataset)
    times = [f"{time:%H:%M}" for time in bars[TIME_COLUMN]]
    rows = [(f"`{field.name}`", *(_text(value) for value in bars[field.name])) for field in dataset.fields]
    parts += ["Bars of one minute:", markdown_table(("field", *times), rows)]
    return "\n\n".join(parts) + "\n"


_EXAMPLE_WORDS: Final = (
    "Made-up ticks of 2025-05-01, and the bars that the engine makes of them on the exchange clock. They open the "
    "month, so a field that looks back over the month has only them to look at."
)


def _tick_table(stream: Stream) -> str:
    ticks = example_ticks(stream)
    empty = [name for name in ticks.columns if ticks[name].is_null().all()]
    shown = ticks.drop("local_timestamp", *empty).with_columns(pl.col("exchange_timestamp").dt.strftime("%H:%M:%S"))
    rows = [tuple(_text(value) for value in row) for row in shown.iter_rows()]
    return markdown_table(("time", *shown.columns[1:]), rows)


def _text(value: object) -> str:
    if value is None:
        return "null"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(explanations(), encoding="utf-8")
    for declared in DATASETS.values():
        (Path(sys.argv[1]) / f"{declared.id}.md").write_text(example_page(declared), encoding="utf-8")
