"""The service in Markdown for language models, as of llmstxt.org: an overview, and everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aperiodic.catalog import DATASETS, Category
from aperiodic.catalog.reference import dataset_page, markdown_table
from aperiodic.market import Clock, Interval, Stream
from aperiodic.market.ticks import tick_columns
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.wheel import WHEEL_PATH
from aperiodic.venues import all_venues

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.accounts.plans import Plan
    from aperiodic.server.endpoints import Endpoint

__all__ = ["EXAMPLES", "llms_full_text", "llms_text"]

_SUMMARY: Final = """\
# Aperiodic

> Crypto market-microstructure data: candles, order flow, price impact, order-book imbalance, funding, basis and more, \
as monthly Parquet files behind a REST API, with a Polars-native Python client."""

_CLOCKS: Final = {
    Clock.EXCHANGE: "the matching engine's event time",
    Clock.TRUE: "arrival at the capture host, so that a backtest uses only what had arrived",
}


def _basics() -> str:
    return f"""\
- Access: header `X-API-KEY`; in Python the argument `api_key` or the variable `APERIODIC_API_KEY`. The address is the \
argument `base_url` or the variable `APERIODIC_API_URL`, and ends in `/api/v1`.
- Venues: {"; ".join(f"`{venue.exchange}` ({venue.label})" for venue in all_venues())}.
- Symbols are written like `perpetual-BTC-USDT:USDT`, `spot-BTC-USDT`, `future-BTC-USDT:USDT-20260327`.
- Intervals: {" ".join(f"`{interval}`" for interval in Interval)}; below a minute only with `timestamp=true` and a plan \
that has it.
- Clocks: {"; ".join(f"`timestamp={clock}`: {words}" for clock, words in _CLOCKS.items())}.
- Days are UTC, `YYYY-MM-DD`, both ends included."""


_CAVEATS: Final = """\
- `time` is the start of the bar, UTC without a zone. A bar's values are known at its end, not at `time`.
- There is no row for an interval without events of the dataset's driving stream. Do not assume an even grid.
- Undefined values are null, never NaN or infinity. Each field has its null rule.
- A field called a percentage is a fraction of 1, unless its description says otherwise.
- `taker_*_order_percentage` divides quote units by base units and grows with the price: never compare it across symbols.
- Look at `complete`, `gaps` and `days_missing` of every file before trusting it; `/api/v1/metadata/conditions` says why.
- `source` is `simulated` where a simulator made the data: such data says nothing of a market.
- Links are valid for 300 s (raw ticks: 3,600 s). Ask again instead of keeping them.
- A published month can be revised. `as_of` answers with the revisions of an earlier moment.
- Files hold whole months; the Python client cuts them to the days asked for."""

_CANDLES: Final = """\
import aperiodic

candles = aperiodic.get_ohlcv(
    interval="5m",
    exchange="binance-futures",
    symbol="perpetual-BTC-USDT:USDT",
    start_date="2025-05-01",
    end_date="2025-05-31",
    show_progress=False,
)
print(candles.head())"""
_METRIC: Final = """\
import aperiodic

flow = aperiodic.get_metrics(
    metric="flow",
    timestamp="true",
    interval="1h",
    exchange="binance-futures",
    symbol="perpetual-BTC-USDT:USDT",
    start_date="2025-05-01",
    end_date="2025-05-31",
    show_progress=False,
)
print(flow.select("time", "volume_delta_notional", "flow_entropy"))"""
_SYMBOLS: Final = """\
import aperiodic

print(aperiodic.get_symbols(exchange="binance-futures"))"""

EXAMPLES: Final = {"Candles": _CANDLES, "A metric dataset": _METRIC, "What there is": _SYMBOLS}
"""Python programs by title; they take key and address from the environment."""


def llms_text(base: str) -> str:
    """Return the overview.

    Args:
        base: Scheme and host that links begin with; empty for links relative to this text.
    """
    return (
        "\n\n".join(
            [
                _SUMMARY,
                _basics(),
                _section(
                    "Documents",
                    f"- [Everything in one text]({base}/llms-full.txt): every field, endpoint, error and example\n"
                    f"- [OpenAPI 3.1]({base}/api/v1/openapi.json): endpoints, parameters, answers, errors\n"
                    f"- [Catalog]({base}/api/v1/metadata/catalog): all metrics and fields as JSON, no key needed",
                ),
                *(_category(category, base) for category in Category),
                _section("Example", _python(_CANDLES)),
                _section("Caveats", _CAVEATS),
            ]
        ).rstrip()
        + "\n"
    )


def llms_full_text(base: str, plans: Sequence[Plan], endpoints: Sequence[Endpoint]) -> str:
    """Return everything: datasets with all fields, raw ticks, endpoints, errors, plans, examples.

    Args:
        base: Scheme and host that links begin with; empty for links relative to this text.
        plans: The plans of this server.
        endpoints: What it answers.
    """
    return (
        "\n\n".join(
            [
                _SUMMARY,
                _basics(),
                _section("Caveats", _CAVEATS),
                _section("Python", f"`pip install {base}{WHEEL_PATH}`. Every function has an `_async` twin."),
                *(f"### {title}\n\n{_python(program)}" for title, program in EXAMPLES.items()),
                _section("Plans", _plans(plans)),
                _section("Endpoints", f"Address: `{base or 'this server'}`. OpenAPI: {base}/api/v1/openapi.json"),
                *map(_endpoint, endpoints),
                _section("Errors", _errors()),
                _section("Datasets", "One row a bar: `time`, then the fields in this order."),
                *("##" + dataset_page(dataset) for dataset in DATASETS.values()),
                _section("Raw ticks", "One file a stream, symbol and UTC day."),
                *(_stream(stream) for stream in Stream),
            ]
        ).rstrip()
        + "\n"
    )


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}"


def _python(program: str) -> str:
    return f"```python\n{program}\n```"


def _category(category: Category, base: str) -> str:
    lines = [
        f"- [{dataset.id}]({base}/llms-full.txt): {dataset.name}. {dataset.description} "
        f"{len(dataset.fields)} fields, tier {dataset.tier}."
        for dataset in DATASETS.values()
        if dataset.category is category
    ]
    return _section(f"Datasets: {category}", "\n".join(lines))


def _plans(plans: Sequence[Plan]) -> str:
    head = ("plan", "datasets of tier", "below a minute", "raw ticks", "requests a minute")
    rows = [
        (
            plan.name,
            f"1 to {plan.tier}" if plan.tier else "none (preview only)",
            "yes" if plan.sub_minute else "no",
            "yes" if plan.raw else "no",
            plan.requests_per_minute,
        )
        for plan in plans
    ]
    return markdown_table(head, rows)


def _endpoint(endpoint: Endpoint) -> str:
    parts = [f"### {endpoint.method} {endpoint.path}", f"{endpoint.summary}. {endpoint.description}"]
    if endpoint.needs_key:
        parts.append("Needs the header `X-API-KEY`.")
    if endpoint.parameters:
        rows = [
            (
                f"`{parameter.name}`",
                parameter.place,
                "yes" if parameter.required else "no",
                parameter.description,
                f"`{parameter.example}`",
            )
            for parameter in endpoint.parameters
        ]
        parts.append(markdown_table(("parameter", "in", "required", "meaning", "example"), rows))
    parts.append(f"Errors: {', '.join(f'`{code.code}`' for code in endpoint.errors)}.")
    return "\n\n".join(parts)


def _errors() -> str:
    rows = [(code.status, f"`{code.code}`", code.message, code.hint) for code in ErrorCode]
    shape = 'Every error is `{"error", "details", "code", "hint", "request_id"}`, the last also in `X-Request-ID`.'
    return f"{shape}\n\n{markdown_table(('status', 'code', 'says, for example', 'hint'), rows)}"


def _stream(stream: Stream) -> str:
    rows = [(f"`{column.name}`", column.type, column.unit, column.description) for column in tick_columns(stream)]
    return f"### {stream}\n\n{markdown_table(('column', 'type', 'unit', 'what it tells'), rows)}"
