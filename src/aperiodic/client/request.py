"""What the caller asked for, checked before anything is sent."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterable as IterableABC
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final, Self, get_args
from urllib.parse import urlsplit

from aperiodic.catalog import DATASETS
from aperiodic.client.profiles import current_profile
from aperiodic.client.types import OnIncomplete, OutputFormat
from aperiodic.market import Clock, Exchange, Interval, InvalidInputError, Symbol
from aperiodic.market.errors import unknown_value

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DEFAULT_BASE_URL",
    "REQUIRED",
    "Account",
    "DataRequest",
    "parse_base_url",
    "parse_choice",
    "parse_concurrent",
    "parse_days",
    "parse_delivery",
    "parse_name",
    "parse_seconds",
    "parse_text",
    "parse_texts",
]

DEFAULT_BASE_URL: Final = "https://aperiodic.io/api/v1"
DEMO_KEY: Final = "DEMO-KEY"
_CONCURRENT: Final = range(1, 101)
_LONGEST_S: Final = 86_400.0
_NAME: Final = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")  # it becomes part of an address
_BLANK: Final = re.compile(r"[\x00-\x20\x7f]")
_PRINTABLE: Final = re.compile(r"[!-~]{1,500}")


class _Required:
    """Default of a parameter that has to be given although it follows optional ones."""

    def __repr__(self) -> str:
        return "<required>"


REQUIRED: Final[Any] = _Required()


@dataclass(frozen=True, slots=True)
class Account:
    """Where to ask, and as whom.

    Attributes:
        base_url: Address of the API, without a slash at the end.
        api_key: Sent to that address only.
    """

    base_url: str
    api_key: str = field(repr=False)

    @classmethod
    def parse(cls, api_key: str | None, base_url: str | None, *, preview: bool = False) -> Self:
        """Fill in what was left out from the environment, then from the profile, read at this moment.

        Raises:
            InvalidInputError: `missing_api_key`, `bad_api_key` or `bad_base_url`; `unknown_profile` or `bad_config`.
        """
        if api_key is None:
            api_key = DEMO_KEY if preview else os.environ.get("APERIODIC_API_KEY") or _key_of_profile(base_url)
        if not api_key:
            raise InvalidInputError(
                "No API key was given.",
                code="missing_api_key",
                hint="Pass api_key, set APERIODIC_API_KEY, run `aperiodic login`, or use preview=True for the free "
                "sample. The key of a profile is sent to its own address only.",
            )
        if not _PRINTABLE.fullmatch(parse_text("api_key", api_key)):
            raise InvalidInputError(
                "The API key holds characters that no key has.", code="bad_api_key", hint="Copy the key once more."
            )
        return cls(parse_base_url(base_url), api_key)


@dataclass(frozen=True, slots=True)
class DataRequest:
    """A request for one dataset of one instrument, and how to deliver it.

    Attributes:
        account: Where to ask, and as whom.
        metric: Dataset to fetch. Like `interval` and `exchange` it may be a name that only the server knows.
        family: Streams of which one has to drive the dataset, or None when any dataset will do.
        clock: Which time orders the events.
        interval: Bar length.
        exchange: Venue.
        symbol: Instrument.
        start: First UTC day.
        end: Last UTC day, included.
        preview: Ask for the free sample.
        show_progress: Draw a progress bar.
        max_concurrent: Downloads at the same time.
        output: Library of the returned frame.
        on_incomplete: What to do when data is missing.
        columns: Columns to fetch beside the time; None for all.
    """

    account: Account
    metric: str
    family: tuple[str, ...] | None
    clock: Clock
    interval: str
    exchange: str
    symbol: Symbol
    start: date
    end: date
    preview: bool
    show_progress: bool
    max_concurrent: int
    output: OutputFormat
    on_incomplete: OnIncomplete
    columns: tuple[str, ...] | None = None

    @property
    def series(self) -> str:
        """What is asked for, in words."""
        return f"{self.metric} of {self.symbol} on {self.exchange}"

    @classmethod
    def parse(
        cls,
        metric: str,
        *,
        family: tuple[str, ...] | None = None,
        api_key: str | None,
        timestamp: str = "exchange",
        interval: str = REQUIRED,
        exchange: str = REQUIRED,
        symbol: str = REQUIRED,
        start_date: date | str = REQUIRED,
        end_date: date | str = REQUIRED,
        base_url: str | None,
        show_progress: bool,
        max_concurrent: int,
        output: OutputFormat = "polars",
        preview: bool = False,
        on_incomplete: OnIncomplete = "warn",
        columns: Iterable[str] | None = None,
    ) -> Self:
        """Check every value; only the server can tell of a name that is not known here (`names.py`).

        Raises:
            InvalidInputError: A value is missing or not valid; its `code` says which and how.
        """
        name = parse_name("metric", metric, DATASETS)
        if not isinstance(preview, bool):
            raise InvalidInputError(
                f"preview is {preview!r}.", code="bad_preview", hint="Give True for the free sample, or leave it out."
            )
        start, end = parse_days(start_date, end_date)
        parse_delivery(max_concurrent, output, on_incomplete)
        return cls(
            account=Account.parse(api_key, base_url, preview=preview),
            metric=name,
            family=family,
            clock=Clock.parse(parse_text("timestamp", timestamp)),
            interval=parse_name("interval", interval, Interval),
            exchange=parse_name("exchange", exchange, Exchange),
            symbol=Symbol.parse(parse_text("symbol", symbol)),
            start=start,
            end=end,
            preview=preview,
            show_progress=show_progress,
            max_concurrent=max_concurrent,
            output=output,
            on_incomplete=on_incomplete,
            columns=None if columns is None else parse_texts("columns", columns),
        )

    @property
    def url(self) -> str:
        """Address of the endpoint that answers with links."""
        return f"{self.account.base_url}/data/{'preview/' if self.preview else ''}{self.metric}"

    @property
    def params(self) -> dict[str, str]:
        """Query parameters of that endpoint."""
        return {
            "timestamp": self.clock.value,
            "interval": self.interval,
            "exchange": self.exchange,
            "symbol": str(self.symbol),
            "start_date": self.start.isoformat(),
            "end_date": self.end.isoformat(),
        }


def parse_days(start_date: object, end_date: object) -> tuple[date, date]:
    """Return the first and the last day of a range.

    Raises:
        InvalidInputError: `missing_<name>`, `bad_<name>` or `inverted_range`.
    """
    start, end = _parse_day("start_date", start_date), _parse_day("end_date", end_date)
    if start > end:
        raise InvalidInputError(
            f"start_date {start} is after end_date {end}.",
            code="inverted_range",
            hint="Swap them; both days are included.",
        )
    return start, end


def parse_delivery(max_concurrent: int, output: str, on_incomplete: str) -> None:
    """Check how the caller wants the data.

    Raises:
        InvalidInputError: `bad_max_concurrent`, `unknown_output`, `unknown_on_incomplete` or `missing_package`.
    """
    parse_concurrent(max_concurrent)
    parse_choice("output", output, get_args(OutputFormat))
    parse_choice("on_incomplete", on_incomplete, get_args(OnIncomplete))
    if output == "pandas":
        _require_pandas()


def parse_concurrent(max_concurrent: int) -> int:
    """Return how many downloads run at the same time.

    Raises:
        InvalidInputError: `bad_max_concurrent`.
    """
    if max_concurrent not in _CONCURRENT:
        raise InvalidInputError(
            f"max_concurrent is {max_concurrent!r}.",
            code="bad_max_concurrent",
            hint=f"Give a whole number from 1 to {_CONCURRENT[-1]}.",
        )
    return max_concurrent


def parse_seconds(name: str, value: object) -> float:
    """Return a number of seconds.

    Raises:
        InvalidInputError: `bad_<name>`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LONGEST_S:
        raise InvalidInputError(
            f"{name} is {value!r}.", code=f"bad_{name}", hint="Give a number of seconds, such as 60."
        )
    return float(value)


def parse_base_url(text: str | None) -> str:
    """Return the address of the API without a slash at the end.

    What was left out comes from the environment, then from the profile.

    Raises:
        InvalidInputError: `bad_base_url`; `unknown_profile` or `bad_config`.
    """
    text = text or os.environ.get("APERIODIC_API_URL") or current_profile().base_url or DEFAULT_BASE_URL
    try:
        parts = urlsplit(text)
        valid = parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment)
        valid = valid and not _BLANK.search(text) and (parts.port is None or parts.port > 0)  # beyond 65535: ValueError
    except ValueError:
        valid = False
    if not valid:
        raise InvalidInputError(
            f"base_url {text[:200]!r} is not the address of an API.",
            code="bad_base_url",
            hint=f"Write it like {DEFAULT_BASE_URL}.",
        )
    return text.rstrip("/")


def parse_text(name: str, value: object) -> str:
    """Return the value if it is text.

    Raises:
        InvalidInputError: `missing_<name>` when it was left out, `bad_<name>` when it is something else.
    """
    _require(name, value)
    if not isinstance(value, str):
        raise InvalidInputError(f"{name} has to be text, not {type(value).__name__}.", code=f"bad_{name}")
    return value


def parse_texts(name: str, value: object) -> tuple[str, ...]:
    """Return one or several texts, each once, in the order given.

    Raises:
        InvalidInputError: As `parse_text`; `bad_<name>` when there is none.
    """
    _require(name, value)
    given = [value] if isinstance(value, str) or not isinstance(value, IterableABC) else list(value)
    if not given:
        raise InvalidInputError(f"{name} is empty.", code=f"bad_{name}", hint=f"Name at least one in {name}=[…].")
    return tuple(dict.fromkeys(parse_text(name, item) for item in given))


def parse_name(name: str, value: object, known: Iterable[str]) -> str:
    """Return the value if it could be a name, known or not.

    Raises:
        InvalidInputError: As `parse_text`, or `unknown_<name>` with the nearest known one.
    """
    text = str(parse_text(name, value))
    if not _NAME.fullmatch(text):
        raise unknown_value(name, text, known)
    return text


def parse_choice(name: str, value: object, choices: Iterable[str]) -> str:
    """Return the value if it is one of the choices.

    Raises:
        InvalidInputError: As `parse_text`, or `unknown_<name>` with the nearest valid value.
    """
    text, valid = parse_text(name, value), tuple(choices)
    if text not in valid:
        raise unknown_value(name, text, valid)
    return text


def _key_of_profile(base_url: str | None) -> str | None:
    """Return the key of the profile, if it is for this address."""
    profile = current_profile()
    address = parse_base_url(base_url)
    return profile.api_key if parse_base_url(profile.base_url or DEFAULT_BASE_URL) == address else None


def _require(name: str, value: object) -> None:
    if value is REQUIRED or value is None:
        raise InvalidInputError(f"{name} was not given.", code=f"missing_{name}", hint=f"Pass {name}=….")


def _parse_day(name: str, value: object) -> date:
    _require(name, value)
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if type(moment).__name__ == "datetime64":  # NumPy's; the client does not need NumPy to know it
            moment = moment.astype("datetime64[us]").item()  # type: ignore[attr-defined]
        if isinstance(moment, datetime) and isinstance(moment.year, int):  # the year of pandas' NaT is not a number
            return (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()
    except (ValueError, OverflowError):
        moment = None
    if isinstance(moment, date) and not isinstance(moment, datetime):
        return moment
    raise InvalidInputError(
        f"{name} {str(value)[:100]!r} is not a day.",
        code=f"bad_{name}",
        hint="Give a date, a datetime or an ISO 8601 string such as '2025-05-01'.",
    )


def _require_pandas() -> None:
    missing = [name for name in ("pandas", "pyarrow") if importlib.util.find_spec(name) is None]
    if missing:
        raise InvalidInputError(
            f'output="pandas" needs {" and ".join(missing)}, not installed here.',
            code="missing_package",
            hint="Install with: pip install pandas pyarrow.",
        )
