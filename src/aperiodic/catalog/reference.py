"""The catalog as a page for people: `python -m aperiodic.catalog.reference > docs/datasets.md`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from aperiodic.catalog.partials import LARGE_FROM, MEDIUM_FROM
from aperiodic.catalog.registry import DATASETS
from aperiodic.market import Clock, Interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aperiodic.catalog.model import Dataset, Field

__all__ = ["catalog_page", "dataset_page", "markdown_table"]

_ORIGIN: Final = "<!-- Made from the catalog: python -m aperiodic.catalog.reference > docs/datasets.md -->"
_RULES: Final = f"""\
## What holds for all of them

**Rows.** One row for each interval that holds at least one event of the dataset's driving stream. No row is made up for an empty interval. \
A file holds `time` and the dataset's fields in the order below, and nothing else. `time` is the start of the interval: UTC without a zone, \
whole microseconds, ascending, unique.

**Clocks.** Every dataset exists on both, and nothing else differs between the two:

| `timestamp` | an event's time |
| --- | --- |
| `{Clock.EXCHANGE}` | when the matching engine says it happened (`{Clock.EXCHANGE.column}` of the ticks) |
| `{Clock.TRUE}` | when it arrived at the capture host (`{Clock.TRUE.column}` of the ticks) |

The clock decides the order of events and the interval each of them falls into. Events of equal time keep the order of the venue.

**Intervals.** {" ".join(f"`{interval}`" for interval in Interval)}. They are half-open, from their start up to but not including the next \
one's, and aligned to the Unix epoch in UTC. Those below a minute exist on the `{Clock.TRUE}` clock only.

**Bars are independent.** Quantities that compare a trade with the one before it use pairs that lie in the same interval. Fields that look \
further back say so.

**Joins.** Where a dataset draws on other streams, each event of the driving stream is joined to their latest event at or before it on the same \
clock, of the 24 hours before; an older one is not known any more. Slippage takes the latest quote strictly before a trade. A quote counts when both its sides have a price and an \
amount above 0.

**Undefined is null.** A zero denominator gives null, never NaN and never an infinity; the column "null" says when. Sums that cancel exactly \
are zero. Counts are `Int64`, everything else is `Float64`.

**Units.** Amounts, quantities and volumes are in base units (the BTC of BTC-USDT), notionals are price times amount in quote units (the USDT). \
A field that is called a percentage is a fraction of 1, except where its description cautions otherwise.

**Returns.** They are those of the decimal prices: the difference of two prices is exact, as prices are multiples of a step. A price with \
more than 12 decimals or 15 digits has no such step; the returns from and to it are those of the doubles, and the build says how many there are.

**Sides and sizes.** A buy is a trade in which the taker bought, a sell one in which the taker sold. Size buckets go by the notional of a \
single trade:

| bucket | notional n, in quote units |
| --- | --- |
| small | n < {MEDIUM_FROM:,.0f} |
| medium | {MEDIUM_FROM:,.0f} ≤ n < {LARGE_FROM:,.0f} |
| large | n ≥ {LARGE_FROM:,.0f} |

**Notation.** The trades of an interval are numbered 1 … n in the order of the clock; p is a trade's price, q its amount, v = p·q its notional, \
r = (pᵢ - pᵢ₋₁)/pᵢ₋₁ its return over the trade before it and l = log1p(r) its log return. B_N and A_N are the amounts of the best N bid \
and ask levels, summed. Where no other rule is given, a value is that of the interval's last event, and a mean is over the events of the interval."""


def catalog_page() -> str:
    """Return the catalog's overview as a Markdown page: every dataset, and the rules that hold for all of them."""
    rows = [
        (
            f"[`{dataset.id}`](datasets/{dataset.id}.md)",
            dataset.name,
            dataset.category,
            dataset.tier,
            dataset.driving,
            len(dataset.fields),
        )
        for dataset in DATASETS.values()
    ]
    overview = markdown_table(("dataset", "name", "category", "tier", "driving stream", "fields"), rows)
    return f"{_ORIGIN}\n\n# Datasets\n\n{overview}\n\n{_RULES}\n"


def dataset_page(dataset: Dataset) -> str:
    """Return one dataset in Markdown: what it is, what to look at first, and a table of its fields."""
    intervals = list(Interval)
    streams = " and ".join(f"`{stream}`" for stream in dataset.family.joined)
    facts = (
        f"{dataset.name} · {dataset.category} · tier {dataset.tier} · driven by `{dataset.driving}` · "
        + (f"joined to {streams} · " if streams else "")
        + f"intervals `{intervals[0]}` to `{intervals[-1]}`"
    )
    highlights = [f"- `{field.name}`: {field.highlight}" for field in dataset.highlights]
    first = ["Look at these first:", "\n".join(highlights)] if highlights else []
    fields = markdown_table(("field", "label", "unit", "what it tells", "formula", "null"), map(_row, dataset.fields))
    return "\n\n".join([f"# {dataset.id}", facts, dataset.description, *first, fields])


def _row(field: Field) -> tuple[str, ...]:
    return f"`{field.name}`", field.label, field.unit, field.description, f"`{field.formula}`", field.null


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *([str(cell).replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.stdout.buffer.write(catalog_page().encode())
