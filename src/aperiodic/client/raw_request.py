"""What the caller asked for in raw ticks, checked before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from aperiodic.client.request import REQUIRED, Account, parse_days, parse_delivery, parse_name, parse_text
from aperiodic.market import Exchange, InvalidInputError, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aperiodic.client.types import OnIncomplete, OutputFormat

__all__ = ["RawRequest"]

_WINDOW: Final = timedelta(days=366)
_LONGEST: Final = 20 * _WINDOW


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request for the ticks of one stream of one instrument, and how to deliver them.

    Attributes:
        account: Where to ask, and as whom.
        dataset: Kind of ticks. Like `exchange` it may be a name that only the server knows.
        exchange: Venue.
        symbol: Instrument.
        start: First UTC day of exchange time.
        end: Last UTC day, included.
        preview: Ask for the free sample.
        show_progress: Draw a progress bar.
        max_concurrent: Downloads at the same time.
        output: Library of the returned frame.
        on_incomplete: What to do when data is missing.
    """

    account: Account
    dataset: str
    exchange: str
    symbol: Symbol
    start: date
    end: date
    preview: bool
    show_progress: bool
    max_concurrent: int
    output: OutputFormat
    on_incomplete: OnIncomplete

    @classmethod
    def parse(
        cls,
        *,
        api_key: str | None,
        dataset: Any,  # noqa: ANN401 (checked here)
        exchange: Any = REQUIRED,  # noqa: ANN401 (checked here)
        symbol: Any = REQUIRED,  # noqa: ANN401 (checked here)
        start_date: object = REQUIRED,
        end_date: object = REQUIRED,
        base_url: str | None,
        show_progress: bool,
        max_concurrent: int,
        output: OutputFormat = "polars",
        preview: bool = False,
        on_incomplete: OnIncomplete = "warn",
    ) -> Self:
        """Check every value; only the server can tell of a name that is not known here (`names.py`).

        Raises:
            InvalidInputError: A value is missing or not valid; its `code` says which and how. `range_too_long` beyond
                20 years.
        """
        name = parse_name("dataset", dataset, Stream)
        start, end = parse_days(start_date, end_date)
        if end - start >= _LONGEST:
            raise InvalidInputError(
                f"The range from {start} to {end} is longer than 20 years.",
                code="range_too_long",
                hint="get_raw_coverage() tells the days that there are.",
            )
        parse_delivery(max_concurrent, output, on_incomplete)
        return cls(
            account=Account.parse(api_key, base_url, preview=preview),
            dataset=name,
            exchange=parse_name("exchange", exchange, Exchange),
            symbol=Symbol.parse(parse_text("symbol", symbol)),
            start=start,
            end=end,
            preview=preview,
            show_progress=show_progress,
            max_concurrent=max_concurrent,
            output=output,
            on_incomplete=on_incomplete,
        )

    @property
    def title(self) -> str:
        """What it is about, before a progress bar."""
        return f"{self.dataset} {self.symbol}"

    @property
    def series(self) -> str:
        """What it is about, in a sentence."""
        return f"{self.dataset} of {self.symbol} on {self.exchange}"

    @property
    def url(self) -> str:
        """Address of the endpoint that answers with links."""
        return f"{self.account.base_url}/data/raw/{'preview/' if self.preview else ''}{self.dataset}"

    @property
    def questions(self) -> Iterator[dict[str, str]]:
        """Query parameters of each request to that endpoint, which takes 366 days at a time."""
        series = {"exchange": self.exchange, "symbol": str(self.symbol)}
        if self.preview:
            yield series
            return
        first = self.start
        while first <= self.end:
            last = min(first + _WINDOW - timedelta(days=1), self.end)
            yield {**series, "start_date": first.isoformat(), "end_date": last.isoformat()}
            first = last + timedelta(days=1)
