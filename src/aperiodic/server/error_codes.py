"""Every machine code that an error answer can carry, declared once: status, words, and an example of them.

Where a request is refused, the words are filled in by `errors.refuse` or `ErrorCode.problem`; the documents show them
by example.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from aperiodic.catalog import DATASETS
from aperiodic.market import AperiodicDataError, Clock, Exchange, Interval, InvalidInputError, Stream
from aperiodic.market.errors import unknown_value

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ErrorCode"]


class _Words:
    """Status and words of a code; two codes are never the same, whatever they say.

    Attributes:
        status: HTTP status.
        message: What is said, with places for values.
        hint: What to do, with places for values.
    """

    def __init__(self, status: int, message: str, hint: str, **example: object) -> None:
        self.status = status
        self.message = message
        self.hint = hint
        self._example = example

    def by_example(self) -> tuple[str, str]:
        """Return message and hint with the values of an example."""
        return self.message.format(**self._example), self.hint.format(**self._example)


class _Unknown(_Words):
    """A value outside a closed set; the words are those of `market.errors.unknown_value`."""

    def __init__(self, status: int, kind: str, wrong: str, choices: Iterable[str]) -> None:
        super().__init__(status, "", "")
        self._given = kind, wrong, choices

    def by_example(self) -> tuple[str, str]:
        """Return message and hint; the choices are listed as they are now."""
        problem = unknown_value(*self._given)
        return problem.message, problem.hint or ""


_KEYS: Final = "Send a valid key in the header X-API-KEY; the operator of this server issues keys."
_NEW_LINK: Final = (
    "Ask the endpoint that gave it for a new one; links are valid for {bars_s} seconds, links to raw ticks for {raw_s}."
)
_AGAIN: Final = "Try again in a few seconds; if it lasts, the operator has to look at it."
_BARS: Final = ("timestamp", "interval", "exchange", "symbol", "start_date", "end_date", "as_of")
_SPAN: Final = {"first": "2009-01-01", "last": "2100-12-31"}


class ErrorCode(Enum):
    """A reason for an error answer, ascending by status."""

    MISSING_PARAMETER = _Words(400, "The parameter {name} is missing.", "Add {name}=… to the query.", name="symbol")
    UNKNOWN_PARAMETER = _Unknown(400, "parameter", "symbl", _BARS)
    REPEATED_PARAMETER = _Words(
        400, "The parameter {name} is given more than once.", "Give one {name}.", name="interval"
    )
    REPEATED_TOO_OFTEN = _Words(
        400,
        "The parameter {name} is given more than {most} times.",
        "Ask for the others in a request of their own.",
        name="symbol",
        most=25,
    )
    BAD_COUNT = _Words(400, "n is a number from 1 to {most}.", "Leave it out for {usual}.", most=1000, usual=100)
    TOO_MANY_PARAMETERS = _Words(
        400, "The query has more than {most} parameters.", "Send only {names}.", most=32, names="exchange"
    )
    CONFLICTING_PARAMETERS = _Words(
        400,
        "{one} and {other} exclude each other{why}.",
        "{instead}",
        one="metric",
        other="stream",
        why="",
        instead="A metric stands for the stream that drives it; give one of the two.",
    )
    UNKNOWN_TIMESTAMP = _Unknown(400, "timestamp", "exchang", Clock)
    UNKNOWN_INTERVAL = _Unknown(400, "interval", "5min", Interval)
    UNKNOWN_EXCHANGE = _Unknown(400, "exchange", "binance-future", Exchange)
    UNKNOWN_STREAM = _Unknown(400, "stream", "trade", Stream)
    BAD_SYMBOL = _Words(
        400,
        "'BTCUSDT' is not an Atlas symbol.",
        "Write it like spot-BTC-USDT, perpetual-BTC-USDT:USDT or future-BTC-USDT:USDT-20260327.",
    )
    BAD_DATE = _Words(
        400,
        "{name} {text!r} is not a day between {first} and {last}.",
        "Write YYYY-MM-DD, for example 2025-05-01.",
        name="start_date",
        text="2025-4-1",
        **_SPAN,
    )
    BAD_AS_OF = _Words(
        400,
        "as_of {text!r} is no day and no time between {first} and {last}.",
        "Write YYYY-MM-DD for the end of a day, or a time in UTC, for example 2025-05-01T12:00:00Z.",
        text="yesterday",
        **_SPAN,
    )
    INVERTED_RANGE = _Words(
        400,
        "end_date {end} lies before start_date {start}.",
        "Swap the two dates; both are included.",
        start="2025-05-31",
        end="2025-05-01",
    )
    RANGE_TOO_LONG = _Words(
        400,
        "{start} to {end} is {days} days; one request covers at most {most}.",
        "Ask for one part of the range after the other.",
        start="2024-01-01",
        end="2025-12-31",
        days=731,
        most=366,
    )
    INTERVAL_NEEDS_TRUE_CLOCK = _Words(
        400,
        "Interval {interval} exists for timestamp=true only.",
        "Set timestamp=true, or ask for 1m or longer.",
        interval="1s",
    )
    NOT_IN_PREVIEW = _Words(
        400,
        "The preview does not include this request for {name}.",
        "{nearest}",
        name="ohlcv",
        nearest="The nearest that it includes: /api/v1/data/preview/ohlcv?timestamp=exchange&interval=5m"
        "&exchange=binance-futures&symbol=perpetual-BTC-USDT:USDT&start_date=2025-05-01&end_date=2025-05-31",
    )
    BAD_HOST = _Words(
        400,
        "The Host header is not a host name.",
        "Send the name and port of the server, for example Host: localhost:8000.",
    )
    BAD_BODY = _Words(
        400,
        "The body is not what this endpoint reads: {reason}.",
        "{instead}",
        reason="JSON is malformed",
        instead="Send nothing, or a JSON object with the field label.",
    )
    BAD_LABEL = _Words(400, "A label has at most 100 printable characters.", "Give a shorter label.")
    BAD_OVERLAP = _Words(400, "The old key can go on working for 0 to 168 hours.", "Give a number in that range.")
    BAD_REQUEST = _Words(
        400,
        "The request cannot be understood.",
        "Check the URL, that there is one Host header, and only one of Content-Length and Transfer-Encoding.",
    )
    MISSING_KEY = _Words(401, "This endpoint needs an API key.", _KEYS)
    UNKNOWN_KEY = _Words(401, "This API key is not known here.", _KEYS)
    REVOKED_KEY = _Words(401, "This API key has been revoked.", _KEYS)
    EXPIRED_KEY = _Words(401, "This API key has expired.", _KEYS)
    WRONG_TOKEN = _Words(
        401,
        "The counters need the token that the operator has set.",
        "Send it in the header Authorization: Bearer.",
    )
    LIVE_NOT_IN_PLAN = _Words(
        403,
        "The plan {plan} does not include live bars.",
        "Ask the operator of this server for a plan that does.",
        plan="starter",
    )
    METRIC_NOT_IN_PLAN = _Words(
        403,
        "The plan {plan} does not include the metric {metric} (tier {tier}).",
        "It includes {included}; a larger plan includes this one.",
        plan="starter",
        metric="l2_imbalance",
        tier=3,
        included="metrics up to tier 1",
    )
    INTERVAL_NOT_IN_PLAN = _Words(
        403,
        "The plan {plan} does not include the interval {interval}.",
        "Ask for 1m or longer, or use a key of the plan prime.",
        plan="pro",
        interval="1s",
    )
    RAW_NOT_IN_PLAN = _Words(
        403,
        "The plan {plan} does not include raw ticks.",
        "Use a key of the plan prime-raw; some days are free at /api/v1/data/raw/preview/{{dataset}}.",
        plan="prime",
    )
    SCOPE_MISSING = _Words(
        403,
        "This key is not for {scope}, only for {scopes}.",
        "Use a key with the scope {scope}; the operator of this server issues keys.",
        scope="raw",
        scopes="bars",
    )
    LINK_INVALID = _Words(
        403,
        "This link is not valid: part of it is missing or was changed.",
        _NEW_LINK,
        bars_s=300,
        raw_s=3600,
    )
    LINK_EXPIRED = _Words(403, "This link has expired.", _NEW_LINK, bars_s=300, raw_s=3600)
    REVISIONS_PRUNED = _Words(
        410,
        "Revisions that gave way before {before} are no longer kept, so what was published at {moment} cannot be told.",
        "Ask as of a later time, or without as_of for what is published now.",
        before="2026-01-01T00:00:00+00:00",
        moment="2025-06-01T00:00:00+00:00",
    )
    SIGNUP_CLOSED = _Words(403, "Nobody can sign up here by themselves.", "Ask the operator of this server for a key.")
    CROSS_SITE = _Words(
        403,
        "A page of another site cannot do this.",
        "Send the request from a program, or from a page of this server.",
    )
    DEMO_KEY = _Words(
        403,
        "The demo key belongs to everybody, so nobody can rotate it.",
        "Sign up for a key of your own: POST /api/v1/signup.",
    )
    METRICS_ARE_PRIVATE = _Words(
        403,
        "The counters are shown to programs of this host only.",
        "Set APERIODIC_METRICS_TOKEN on the server, and send it as Authorization: Bearer.",
    )
    UNKNOWN_METRIC = _Unknown(404, "metric", "ohlc", DATASETS)
    UNKNOWN_DATASET = _Unknown(404, "dataset", "trade", Stream)
    UNKNOWN_SYMBOL = _Words(
        404,
        "There is no data of {symbol} on {exchange}.",
        "{where}",
        symbol="perpetual-BTC-USDC:USDC",
        exchange="binance-futures",
        where="Did you mean 'perpetual-BTC-USDT:USDT'? All are at /api/v1/metadata/symbols?exchange=binance-futures.",
    )
    OBJECT_MISSING = _Words(
        404,
        "The file of this link is not there.",
        "Ask the endpoint that gave it for a new one, for raw ticks may have been replaced by newer ones; if that"
        " fails as well, tell the operator.",
    )
    UNKNOWN_PATH = _Words(
        404,
        "There is nothing at this path.",
        "{instead}",
        instead="Data is at /api/v1/data/{metric}, the list of metrics at /api/v1/metadata/catalog.",
    )
    METHOD_NOT_ALLOWED = _Words(405, "This path does not answer that method.", "Use {methods}.", methods="GET or HEAD")
    REQUEST_TIMEOUT = _Words(408, "The request did not arrive whole in time.", "Send it again, without pauses.")
    ALREADY_ROTATED = _Words(409, "This key has been rotated before.", "Use the key that took its place.")
    KEY_NOT_VALID = _Words(409, "A key that is not valid any more cannot be rotated.", "Make a new key.")
    BODY_TOO_LARGE = _Words(
        413, "The body is longer than {most} bytes.", "Send only the fields that this endpoint has.", most=4096
    )
    QUERY_TOO_LONG = _Words(
        414, "The query is longer than {most} bytes.", "Send only {names}.", most=4096, names="exchange"
    )
    RANGE_NOT_SATISFIABLE = _Words(
        416,
        "The file has {size} bytes; the range lies outside.",
        "Ask for bytes inside the file.",
        size=52417,
    )
    UPGRADE_REQUIRED = _Words(
        426, "Live bars are told over WebSocket.", "Use aperiodic.stream(…), or any WebSocket client with X-API-KEY."
    )
    CLIENT_OBSOLETE = _Words(426, "This client is too old for live bars.", "Upgrade it to version 4 or later.")
    TOO_MANY_STREAMS = _Words(
        429,
        "The plan {plan} has {most} live connections at a time.",
        "Close one, or subscribe to more channels on it.",
        plan="pro",
        most=2,
    )
    RATE_LIMITED = _Words(
        429,
        "Too many requests. {rule}",
        "Wait {seconds} s before the next one.",
        rule="The plan pro has 600 requests a minute.",
        seconds=3,
    )
    HEADERS_TOO_LARGE = _Words(
        431,
        "The head of the request has more than {bytes} bytes or {headers} headers.",
        "Send fewer and shorter headers.",
        bytes=131_072,
        headers=100,
    )
    INTERNAL_ERROR = _Words(500, "The server failed to answer.", "Report the request id to the operator.")
    UNAVAILABLE = _Words(503, "A part of the server is not available.", "Try again in a few seconds.")
    TOO_MANY_CONNECTIONS = _Words(
        503, "There are too many open connections.", "Close some of yours, or try again in a few seconds."
    )
    LEDGER_UNAVAILABLE = _Words(503, "The ledger does not answer.", _AGAIN)
    STORE_UNAVAILABLE = _Words(503, "The store does not answer.", _AGAIN)
    SHUTTING_DOWN = _Words(503, "The server is shutting down.", "Ask another one, or this one later.")

    @property
    def code(self) -> str:
        """The machine code."""
        return self.name.lower()

    @property
    def words(self) -> _Words:
        """Status and words."""
        declared: _Words = self.value
        return declared

    @property
    def status(self) -> int:
        """HTTP status of the answer whose first problem this is."""
        return self.words.status

    @property
    def message(self) -> str:
        """What is said, by example."""
        return self.words.by_example()[0]

    @property
    def hint(self) -> str:
        """What to do, by example."""
        return self.words.by_example()[1]

    def problem(self, **values: object) -> InvalidInputError:
        """Return the error that says so, with the values that its words have places for."""
        return InvalidInputError(
            self.words.message.format(**values), code=self.code, hint=self.words.hint.format(**values)
        )

    @classmethod
    def of(cls, problem: AperiodicDataError) -> ErrorCode | None:
        """Return the code of a problem; None for one that is not declared here."""
        return cls.__members__.get((problem.code or "").upper())
