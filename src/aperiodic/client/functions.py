"""Makes the public data functions: one body, one signature and one docstring serve the blocking and the async one."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, Protocol

from aperiodic.catalog import DATASETS, TIME_COLUMN, Dataset
from aperiodic.client.fetch import fetch_data
from aperiodic.client.request import REQUIRED, DataRequest, parse_choice
from aperiodic.client.sync import run_blocking

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aperiodic.client.fetch import Delivery
    from aperiodic.client.signatures import MetricAsync, MetricBlocking, SeriesAsync, SeriesBlocking
    from aperiodic.client.types import Day, Exchange, Interval, OnIncomplete, OutputFormat, TimestampType
    from aperiodic.market import Stream

__all__ = ["RAISES", "metric_functions", "public_pair", "series_functions"]

_KEY: Final = """\
    api_key: Your key; by default APERIODIC_API_KEY, or the public demo key with preview=True."""

_PARAMETERS: Final = """\
    timestamp: Clock: "exchange" for the venue's event time, "true" for the arrival time at the capture host.
    interval: Bar length, "1s" to "1d". Those below a minute need the Prime plan and timestamp="true".
    exchange: Venue, for example "binance-futures".
    symbol: Instrument in the Atlas symbology, for example "perpetual-BTC-USDT:USDT".
    start_date: First day, in UTC: a date, a datetime (an aware one is converted to UTC) or an ISO 8601 string.
    end_date: Last day, included.
    base_url: Address of the API; by default APERIODIC_API_URL, else https://aperiodic.io/api/v1.
    show_progress: Draw a progress bar.
    max_concurrent: Downloads at the same time, 1 to 100.
    output: Library of the returned frame, "polars" or "pandas".
    preview: Ask for the free sample.
    on_incomplete: What to do when part of the data does not exist: "warn" (IncompleteDataWarning), "raise"
        (IncompleteDataError, before any download) or "ignore"."""

RAISES: Final = """\
    InvalidInputError: A value is missing or not valid; nothing was sent.
    APIError: The server answered with an error.
    DownloadError: A file could not be fetched, or is not what the server said it was.
    IncompleteDataError: Data is missing and on_incomplete is "raise".
    AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above."""


def series_functions(name: str, dataset: Dataset, summary: str) -> tuple[SeriesBlocking, SeriesAsync]:
    """Make the blocking and the async function for one fixed dataset.

    Args:
        name: Public name of the blocking one; the async one gets `_async` after it.
        dataset: What they fetch.
        summary: First line of their docstring.
    """

    async def deliver(
        api_key: str | None = None,
        timestamp: TimestampType = "exchange",
        interval: Interval = REQUIRED,
        exchange: Exchange = REQUIRED,
        symbol: str = REQUIRED,
        start_date: Day = REQUIRED,
        end_date: Day = REQUIRED,
        base_url: str | None = None,
        show_progress: bool = True,
        max_concurrent: int = 10,
        *,
        output: OutputFormat = "polars",
        preview: bool = False,
        on_incomplete: OnIncomplete = "warn",
    ) -> Delivery:
        request = DataRequest.parse(
            dataset,
            api_key=api_key,
            timestamp=timestamp,
            interval=interval,
            exchange=exchange,
            symbol=symbol,
            start_date=start_date,
            end_date=end_date,
            base_url=base_url,
            show_progress=show_progress,
            max_concurrent=max_concurrent,
            output=output,
            preview=preview,
            on_incomplete=on_incomplete,
        )
        return await fetch_data(request)

    columns = [f"    {field.name}: {field.description} Unit: {field.unit}." for field in dataset.fields]
    returns = "\n".join([f"{_TIME_ROW} and the columns\n", *columns])
    return public_pair(name, deliver, _docstring(summary, _KEY, returns), _FRAME)


def metric_functions(
    name: str, streams: frozenset[Stream], summary: str
) -> tuple[MetricBlocking[Any], MetricAsync[Any]]:
    """Make the blocking and the async function for all datasets that the given streams drive.

    Args:
        name: Public name of the blocking one; the async one gets `_async` after it.
        streams: Kinds of events; a dataset belongs to the family when one of them decides which of its rows exist.
        summary: First line of their docstring.
    """
    family = {dataset.id: dataset for dataset in DATASETS.values() if dataset.driving in streams}

    async def deliver(
        api_key: str | None = None,
        metric: str = REQUIRED,
        timestamp: TimestampType = "exchange",
        interval: Interval = REQUIRED,
        exchange: Exchange = REQUIRED,
        symbol: str = REQUIRED,
        start_date: Day = REQUIRED,
        end_date: Day = REQUIRED,
        base_url: str | None = None,
        show_progress: bool = True,
        max_concurrent: int = 10,
        *,
        output: OutputFormat = "polars",
        preview: bool = False,
        on_incomplete: OnIncomplete = "warn",
    ) -> Delivery:
        request = DataRequest.parse(
            family[parse_choice("metric", metric, family)],
            api_key=api_key,
            timestamp=timestamp,
            interval=interval,
            exchange=exchange,
            symbol=symbol,
            start_date=start_date,
            end_date=end_date,
            base_url=base_url,
            show_progress=show_progress,
            max_concurrent=max_concurrent,
            output=output,
            preview=preview,
            on_incomplete=on_incomplete,
        )
        return await fetch_data(request)

    metrics = [f"{_KEY}\n    metric: One of"]
    metrics += [f"        {dataset.id}: {dataset.description}" for dataset in family.values()]
    doc = _docstring(summary, "\n".join(metrics), f"{_TIME_ROW} and the dataset's columns.")
    return public_pair(name, deliver, doc, _FRAME)


_FRAME: Final = "polars.DataFrame | pandas.DataFrame"

_TIME_ROW: Final = (
    f"    A frame with one row per interval in which something happened: `{TIME_COLUMN}` (start of the interval,\n"
    "    timezone-naive UTC, ascending, unique)"
)


def _docstring(summary: str, first_parameters: str, returns: str) -> str:
    parts = (summary, f"Args:\n{first_parameters}\n{_PARAMETERS}", f"Returns:\n{returns}", f"Raises:\n{RAISES}")
    return "\n\n".join(parts) + "\n"


class Deliverable(Protocol):
    """What the work of a function ends with."""

    def hand_over(self, stacklevel: int) -> Any:  # noqa: ANN401 (what the function returns)
        """Tell the caller what is to be told, and return what they asked for."""


def public_pair(
    name: str, deliver: Callable[..., Coroutine[Any, Any, Deliverable]], doc: str, returns: str
) -> tuple[Any, Any]:
    """Make the blocking and the async function of one body.

    Args:
        name: Public name of the blocking one; the async one gets `_async` after it.
        deliver: Does the work; both take its parameters.
        doc: Docstring of both.
        returns: The return type as `help` shows it.
    """

    # Warnings are raised here, in the frame below the caller's: the work itself may run in another thread.
    def blocking(*args: object, **kwargs: object) -> object:
        return run_blocking(deliver(*args, **kwargs)).hand_over(stacklevel=2)

    async def awaitable(*args: object, **kwargs: object) -> object:
        return (await deliver(*args, **kwargs)).hand_over(stacklevel=2)

    signature = inspect.signature(deliver).replace(return_annotation=returns)
    for function, public_name in ((deliver, name), (blocking, name), (awaitable, f"{name}_async")):
        function.__name__ = function.__qualname__ = public_name
        function.__module__ = "aperiodic"
        function.__doc__ = doc
        function.__dict__["__signature__"] = signature  # inspect and help() look for it
    return blocking, awaitable
