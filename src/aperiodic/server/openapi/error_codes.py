"""Every machine code that an error answer can carry."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from aperiodic.market import Exchange
from aperiodic.server.openapi.declared import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FAILURES"]

_KEYS: Final = "Send a valid key in the header X-API-KEY; the operator of this server issues keys."
_DAY: Final = "Write YYYY-MM-DD, for example 2025-05-01."
_NEW_LINK: Final = (
    "Ask the endpoint that gave it for a new one; links are valid for 300 seconds, links to raw ticks for 3600."
)
_SEND_ONLY: Final = "Send only exchange."
_AGAIN: Final = "Try again in a few seconds; if it lasts, the operator has to look at it."

_DECLARED: Final = (
    Failure("missing_parameter", 400, "The parameter symbol is missing.", "Add symbol=… to the query."),
    Failure(
        "unknown_parameter",
        400,
        "Unknown parameter 'symbl'.",
        "Did you mean 'symbol'? Valid values: timestamp, interval, exchange, symbol, start_date, end_date, as_of.",
    ),
    Failure("repeated_parameter", 400, "The parameter interval is given more than once.", "Give one interval."),
    Failure("too_many_parameters", 400, "The query has more than 32 parameters.", _SEND_ONLY),
    Failure(
        "conflicting_parameters",
        400,
        "metric and stream exclude each other.",
        "A metric stands for the stream that drives it; give one of the two.",
    ),
    Failure(
        "unknown_timestamp",
        400,
        "Unknown timestamp 'exchang'.",
        "Did you mean 'exchange'? Valid values: exchange, true.",
    ),
    Failure(
        "unknown_interval",
        400,
        "Unknown interval '5min'.",
        "Did you mean '5m'? Valid values: 1s, 15s, 30s, 1m, 5m, 15m, 30m, 1h, 4h, 1d.",
    ),
    Failure(
        "unknown_exchange",
        400,
        "Unknown exchange 'binance-future'.",
        f"Did you mean 'binance-futures'? Valid values: {', '.join(Exchange)}.",
    ),
    Failure(
        "unknown_stream",
        400,
        "Unknown stream 'trade'.",
        "Did you mean 'trades'? Valid values: trades, quotes, book, mark_price, index_price, funding_rate, "
        "open_interest.",
    ),
    Failure(
        "bad_symbol",
        400,
        "'BTCUSDT' is not an Atlas symbol.",
        "Write it like spot-BTC-USDT, perpetual-BTC-USDT:USDT or future-BTC-USDT:USDT-20260327.",
    ),
    Failure("bad_date", 400, "start_date '2025-4-1' is not a day between 2009-01-01 and 2100-12-31.", _DAY),
    Failure(
        "bad_as_of",
        400,
        "as_of 'yesterday' is no day and no time between 2009-01-01 and 2100-12-31.",
        "Write YYYY-MM-DD for the end of a day, or a time in UTC, for example 2025-05-01T12:00:00Z.",
    ),
    Failure(
        "inverted_range",
        400,
        "end_date 2025-05-01 lies before start_date 2025-05-31.",
        "Swap the two dates; both are included.",
    ),
    Failure(
        "range_too_long",
        400,
        "2024-01-01 to 2025-12-31 is 731 days; one request covers at most 366.",
        "Ask for one part of the range after the other.",
    ),
    Failure(
        "interval_needs_true_clock",
        400,
        "Interval 1s exists for timestamp=true only.",
        "Set timestamp=true, or ask for 1m or longer.",
    ),
    Failure(
        "not_in_preview",
        400,
        "The preview does not include this request for ohlcv.",
        "The nearest that it includes: /api/v1/data/preview/ohlcv?timestamp=exchange&interval=5m"
        "&exchange=binance-futures&symbol=perpetual-BTC-USDT:USDT&start_date=2025-05-01&end_date=2025-05-31",
    ),
    Failure(
        "bad_host",
        400,
        "The Host header is not a host name.",
        "Send the name and port of the server, for example Host: localhost:8000.",
    ),
    Failure(
        "bad_body",
        400,
        "The body is not what this endpoint reads: JSON is malformed.",
        "Send nothing, or a JSON object with the field label.",
    ),
    Failure("bad_label", 400, "A label has at most 100 printable characters.", "Give a shorter label."),
    Failure("bad_overlap", 400, "The old key can go on working for 0 to 168 hours.", "Give a number in that range."),
    Failure("bad_request", 400, "The request cannot be understood.", "Check the Host header and the URL."),
    Failure("missing_key", 401, "This endpoint needs an API key.", _KEYS),
    Failure("unknown_key", 401, "This API key is not known here.", _KEYS),
    Failure("revoked_key", 401, "This API key has been revoked.", _KEYS),
    Failure("expired_key", 401, "This API key has expired.", _KEYS),
    Failure(
        "wrong_token",
        401,
        "The counters need the token that the operator has set.",
        "Send it in the header Authorization: Bearer.",
    ),
    Failure(
        "metric_not_in_plan",
        403,
        "The plan starter does not include the metric l2_imbalance (tier 3).",
        "It includes metrics up to tier 1; a larger plan includes this one.",
    ),
    Failure(
        "interval_not_in_plan",
        403,
        "The plan pro does not include the interval 1s.",
        "Ask for 1m or longer, or use a key of the plan prime.",
    ),
    Failure(
        "raw_not_in_plan",
        403,
        "The plan prime does not include raw ticks.",
        "Use a key of the plan prime-raw; some days are free at /api/v1/data/raw/preview/{dataset}.",
    ),
    Failure(
        "scope_missing",
        403,
        "This key is not for raw, only for bars.",
        "Use a key with the scope raw; the operator of this server issues keys.",
    ),
    Failure("link_invalid", 403, "This link is not valid: part of it is missing or was changed.", _NEW_LINK),
    Failure("link_expired", 403, "This link has expired.", _NEW_LINK),
    Failure(
        "signup_closed",
        403,
        "Nobody can sign up here by themselves.",
        "Ask the operator of this server for a key.",
    ),
    Failure(
        "cross_site",
        403,
        "A page of another site cannot do this.",
        "Send the request from a program, or from a page of this server.",
    ),
    Failure(
        "demo_key",
        403,
        "The demo key belongs to everybody, so nobody can rotate it.",
        "Sign up for a key of your own: POST /api/v1/signup.",
    ),
    Failure(
        "metrics_are_private",
        403,
        "The counters are shown to programs of this host only.",
        "Set APERIODIC_METRICS_TOKEN on the server, and send it as Authorization: Bearer.",
    ),
    Failure(
        "unknown_metric", 404, "Unknown metric 'ohlc'.", "Did you mean 'ohlcv'? Valid values: flow, trade_size, ohlcv."
    ),
    Failure(
        "unknown_dataset",
        404,
        "Unknown dataset 'trade'.",
        "Did you mean 'trades'? Valid values: trades, quotes, book.",
    ),
    Failure(
        "unknown_symbol",
        404,
        "There is no data of perpetual-BTC-USDC:USDC on binance-futures.",
        "Did you mean 'perpetual-BTC-USDT:USDT'? All are at /api/v1/metadata/symbols?exchange=binance-futures.",
    ),
    Failure(
        "object_missing",
        404,
        "The file of this link is not there.",
        "Ask the data endpoint for a new link; if it fails as well, tell the operator.",
    ),
    Failure(
        "unknown_path",
        404,
        "There is nothing at this path.",
        "Data is at /api/v1/data/{metric}, the list of metrics at /api/v1/metadata/catalog.",
    ),
    Failure("method_not_allowed", 405, "This path does not answer that method.", "Use GET or HEAD."),
    Failure("already_rotated", 409, "This key has been rotated before.", "Use the key that took its place."),
    Failure("key_not_valid", 409, "A key that is not valid any more cannot be rotated.", "Make a new key."),
    Failure(
        "body_too_large",
        413,
        "The body is longer than 4096 bytes.",
        "Send only the fields that this endpoint has.",
    ),
    Failure("query_too_long", 414, "The query is longer than 4096 bytes.", _SEND_ONLY),
    Failure(
        "range_not_satisfiable",
        416,
        "The file has 52417 bytes; the range lies outside.",
        "Ask for bytes inside the file.",
    ),
    Failure(
        "rate_limited",
        429,
        "Too many requests. The plan pro has 600 requests a minute.",
        "Wait 3 s before the next one.",
    ),
    Failure("internal_error", 500, "The server failed to answer.", "Report the request id to the operator."),
    Failure("unavailable", 503, "A part of the server is not available.", "Try again in a few seconds."),
    Failure("ledger_unavailable", 503, "The ledger does not answer.", _AGAIN),
    Failure("store_unavailable", 503, "The store does not answer.", _AGAIN),
    Failure("shutting_down", 503, "The server is shutting down.", "Ask another one, or this one later."),
)

FAILURES: Final[Mapping[str, Failure]] = MappingProxyType({failure.code: failure for failure in _DECLARED})
"""All of them by code, ascending by status."""
