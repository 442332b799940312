"""The table of endpoints: what each is for, what it takes, how it answers, how it refuses."""

from __future__ import annotations

from typing import Final, Literal

from aperiodic.server.api.account import RotateRequest, SignupRequest
from aperiodic.server.api.health import Health
from aperiodic.server.openapi import examples, request_parts
from aperiodic.server.openapi.declared import Answer, Endpoint

__all__ = ["ENDPOINTS", "TAGS"]

TAGS: Final = {
    "data": "Links to files: bars and raw ticks.",
    "metadata": "What can be asked for, what is held, and how good it is.",
    "account": "Keys: making, looking up, rotating.",
    "service": "For operators and programs: health, counters, documents.",
}
"""Groups of endpoints."""

_DEFECTS: Final = ("internal_error", "unavailable")
_KEY: Final = ("missing_key", "unknown_key", "revoked_key", "expired_key")
_QUERY: Final = (
    *("missing_parameter", "unknown_parameter", "repeated_parameter", "too_many_parameters", "query_too_long"),
    *("rate_limited", "bad_request", *_DEFECTS),
)
_INSTRUMENT: Final = ("unknown_exchange", "bad_symbol", "unknown_symbol")
_DAYS: Final = ("bad_date", "inverted_range")
_BARS: Final = (
    *(*_KEY, "unknown_metric", "unknown_timestamp", "unknown_interval", *_INSTRUMENT, *_DAYS),
    *("interval_needs_true_clock", "bad_host", *_QUERY),
)
_RAW: Final = (*_KEY, "unknown_dataset", *_INSTRUMENT, "bad_host", *_QUERY)
_BODY: Final = ("bad_body", "body_too_large", "cross_site", "rate_limited", "bad_request", *_DEFECTS)
_LINK: Final = ("link_invalid", "link_expired", "object_missing", "bad_request", *_DEFECTS)

_RATE: Final = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
_LISTED: Final = (*_RATE, "Cache-Control")
_REVALIDATED: Final = ("ETag", "Cache-Control")
_FILE: Final = ("Accept-Ranges", "Cache-Control", "Content-Disposition", "ETag")
_PARQUET: Final = "application/vnd.apache.parquet"

_FILE_BODIES: Final[tuple[tuple[Literal["GET", "HEAD"], str | None], ...]] = (("GET", "PAR1…"), ("HEAD", None))

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/v1/data/{metric}",
        name="get_data",
        tag="data",
        summary="Links to bars",
        description="One link for each published calendar month that the days touch. A file holds whole months: cut "
        "it to the days yourself, as the Python client does. Months without data are named in `missing`.",
        parameters=(request_parts.METRIC, *request_parts.BARS, request_parts.AS_OF),
        answers=(Answer("The months that exist.", examples.DATA, headers=_LISTED),),
        failures=(*_BARS, "bad_as_of", "metric_not_in_plan", "interval_not_in_plan", "scope_missing"),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/data/preview/{metric}",
        name="get_preview",
        tag="data",
        summary="Links to the free bars",
        description="Answers as the data endpoint does, whatever the key's plan, when the request is one of those that "
        "this server gives away, value for value. The public demo key is enough.",
        parameters=(request_parts.METRIC, *request_parts.BARS),
        answers=(Answer("The months that exist.", examples.DATA, headers=_LISTED),),
        failures=(*_BARS, "not_in_preview"),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/data/raw/{dataset}",
        name="get_raw",
        tag="data",
        summary="Links to raw ticks",
        description="One link for each UTC day that is held, of at most 366 days.",
        parameters=(request_parts.DATASET, *request_parts.INSTRUMENT, *request_parts.DAYS),
        answers=(Answer("The days that are held.", examples.RAW, headers=_LISTED),),
        failures=(*_RAW, *_DAYS, "range_too_long", "raw_not_in_plan", "scope_missing"),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/data/raw/preview/{dataset}",
        name="get_raw_preview",
        tag="data",
        summary="Links to the free raw ticks",
        description="The days of an instrument that this server gives away, whatever the key's plan. The public demo "
        "key is enough.",
        parameters=(request_parts.DATASET, *request_parts.INSTRUMENT),
        answers=(Answer("The days that are held.", examples.RAW, headers=_LISTED),),
        failures=(*_RAW, "not_in_preview"),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/metadata/symbols",
        name="get_symbols",
        tag="metadata",
        summary="Symbols of a venue",
        description="The symbols that have published bars, sorted.",
        parameters=(request_parts.EXCHANGE,),
        answers=(Answer("The symbols.", examples.SYMBOLS, headers=_RATE),),
        failures=(*_KEY, "unknown_exchange", *_QUERY),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/metadata/catalog",
        name="get_catalog",
        tag="metadata",
        summary="All metrics and fields",
        description="Every metric with its fields: label, unit, description, formula, null rule. Needs no key.",
        answers=(Answer("All metrics, in catalog order.", examples.CATALOG),),
        failures=("rate_limited", "bad_request", *_DEFECTS),
        security=None,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/metadata/coverage",
        name="get_coverage",
        tag="metadata",
        summary="What is published",
        description="First and last day, missing days, gaps, rows, bytes and revisions of every series of a venue. "
        "Without `symbol` the answer comes in pages: send the `next` of one as the `after` of the next.",
        parameters=(request_parts.EXCHANGE, request_parts.OF_SYMBOL, request_parts.OF_METRIC, request_parts.AFTER),
        answers=(Answer("A page of series.", examples.COVERAGE, headers=_RATE),),
        failures=(*_KEY, *_INSTRUMENT, "unknown_metric", "conflicting_parameters", *_QUERY),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/metadata/conditions",
        name="get_conditions",
        tag="metadata",
        summary="How much of every day is there",
        description="Each UTC day of at most 366: available, degraded, partial or missing, and why. Give either "
        "`metric` or `stream`.",
        parameters=(
            *request_parts.INSTRUMENT,
            request_parts.OF_METRIC,
            request_parts.OF_STREAM,
            *request_parts.DAYS,
        ),
        answers=(Answer("The days, ascending.", examples.CONDITIONS, headers=_RATE),),
        failures=(
            *(*_KEY, *_INSTRUMENT, "unknown_metric", "unknown_stream", *_DAYS, "range_too_long"),
            *("conflicting_parameters", *_QUERY),
        ),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/metadata/raw",
        name="get_raw_metadata",
        tag="metadata",
        summary="Raw ticks held",
        description="Columns of every raw dataset, and first and last day by venue and symbol. Needs no key.",
        answers=(Answer("What is held.", examples.RAW_METADATA, headers=_RATE),),
        failures=("rate_limited", "bad_request", *_DEFECTS),
        security=None,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/signup",
        name="sign_up",
        tag="account",
        summary="Make a free key",
        description="Makes an account with a key of the plan `free`, which opens the preview. Needs no key, is limited "
        "by address, and can be switched off by the operator. The key is shown this once.",
        body=SignupRequest(label="notebook"),
        answers=(Answer("The key.", examples.NEW_KEY, status=201, headers=("Cache-Control",)),),
        failures=("signup_closed", "bad_label", *_BODY),
        security=None,
    ),
    Endpoint(
        method="GET",
        path="/api/v1/account",
        name="get_account",
        tag="account",
        summary="Key, plan, limits, usage",
        description="The key that asks, the plan of its account, how its rate limit stands, and what the account was "
        "issued in the last 30 days.",
        answers=(Answer("The key and its account.", examples.ACCOUNT, headers=_LISTED),),
        failures=(*_KEY, "rate_limited", "bad_request", *_DEFECTS),
    ),
    Endpoint(
        method="POST",
        path="/api/v1/account/rotate",
        name="rotate_key",
        tag="account",
        summary="Replace a key",
        description="Makes the key that takes the place of the one that asks. The old one goes on working for the "
        "overlap. The new key is shown this once.",
        body=RotateRequest(overlap_hours=24.0),
        answers=(Answer("The new key.", examples.ROTATED, status=201, headers=_LISTED),),
        failures=(*_KEY, "demo_key", "bad_overlap", "already_rotated", "key_not_valid", *_BODY),
    ),
    *(
        Endpoint(
            method=method,
            path="/files/{path}",
            name=f"{method.lower()}_file",
            tag="data",
            summary="A file behind a link" if method == "GET" else "Size and hash of a file behind a link",
            description="Use the links that the data endpoints give, as they are: nothing in them can be changed. "
            "Needs no key. The ETag is the file's SHA-256. Where files lie in a bucket, its links lead straight there.",
            parameters=(*request_parts.LINK, request_parts.RANGE, request_parts.IF_NONE_MATCH),
            answers=(
                Answer("The file." if method == "GET" else "Headers of the file.", body, 200, _PARQUET, _FILE),
                Answer("The bytes asked for.", body, 206, _PARQUET, (*_FILE, "Content-Range")),
                Answer("The client has the file already.", None, 304, headers=_FILE),
            ),
            failures=(*_LINK, "range_not_satisfiable"),
            security=None,
        )
        for method, body in _FILE_BODIES
    ),
    Endpoint(
        method="GET",
        path="/healthz",
        name="get_health",
        tag="service",
        summary="Whether the process runs",
        description="Answers as long as the process lives.",
        answers=(Answer("It does.", Health()),),
        failures=("bad_request", "internal_error"),
        security=None,
    ),
    Endpoint(
        method="GET",
        path="/readyz",
        name="get_readiness",
        tag="service",
        summary="Whether it can answer",
        description="Asks ledger and store, each for at most 4 s, and names those that do not answer in `details`. "
        "Not ready either once the server has been told to stop.",
        answers=(Answer("It can.", Health()),),
        failures=("bad_request", "internal_error", "shutting_down", "ledger_unavailable", "store_unavailable"),
        security=None,
    ),
    Endpoint(
        method="GET",
        path="/metrics",
        name="get_metrics",
        tag="service",
        summary="Counters for Prometheus",
        description="For whoever sends the operator's token; where none is set, for programs of the server's host "
        "that do not come through a reverse proxy.",
        answers=(
            Answer(
                "The counters.",
                'aperiodic_requests_total{route="/api/v1/data/{metric}",method="GET",status="200"} 41.0\n',
                media_type="text/plain",
                headers=("Cache-Control",),
            ),
        ),
        failures=("wrong_token", "metrics_are_private", "bad_request", "internal_error"),
        security="metrics_token",
    ),
    Endpoint(
        method="GET",
        path="/api/v1/openapi.json",
        name="get_openapi",
        tag="service",
        summary="This document",
        description="All endpoints, parameters, answers and errors as OpenAPI 3.1.",
        parameters=(request_parts.IF_NONE_MATCH,),
        answers=(
            Answer("The document.", None, headers=_REVALIDATED),
            Answer("The client has it already.", None, status=304, headers=_REVALIDATED),
        ),
        failures=("bad_request", "internal_error"),
        security=None,
    ),
    *(
        Endpoint(
            method="GET",
            path=path,
            name=name,
            tag="service",
            summary=summary,
            description="Markdown as of llmstxt.org, made from the catalog.",
            parameters=(request_parts.IF_NONE_MATCH,),
            answers=(
                Answer("The text.", "# Aperiodic\n", media_type="text/plain", headers=_REVALIDATED),
                Answer("The client has it already.", None, status=304, headers=_REVALIDATED),
            ),
            failures=("bad_request", *_DEFECTS),
            security=None,
        )
        for path, name, summary in (
            ("/llms.txt", "get_llms", "Overview for language models"),
            ("/llms-full.txt", "get_llms_full", "Everything for language models"),
        )
    ),
)
"""Every endpoint that is no page of the site."""
