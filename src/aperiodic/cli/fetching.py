"""`aperiodic fetch`: what the client fetches, from the shell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import polars as pl
from cyclopts import Parameter

import aperiodic
from aperiodic.catalog import DATASETS, dataset
from aperiodic.cli.console import errors, out
from aperiodic.cli.parameters import Day, ExchangeName, SymbolName, check_range
from aperiodic.market import Clock, Interval, InvalidInputError, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["fetch"]

_OWN_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {"ohlcv": aperiodic.get_ohlcv, "vtwap": aperiodic.get_vwap}
_BARS_OF_EVENTS: Final = frozenset({Stream.TRADES, Stream.QUOTES, Stream.BOOK})
_TABLE_WIDTH: Final = 120


def fetch(
    metric: str,
    *,
    interval: str,
    exchange: ExchangeName,
    symbol: SymbolName,
    start: Day,
    end: Day,
    timestamp: str = Clock.EXCHANGE,
    preview: bool = False,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    url: str | None = None,
) -> None:
    """Fetch a dataset as the Python client does, and print it or write it to a file.

    The key is APERIODIC_API_KEY; it is not an option, for options can be read in the list of processes.

    Args:
        metric: Dataset, for example flow.
        interval: Bar length, 1s to 1d.
        exchange: Venue.
        symbol: Symbol in Atlas symbology (perpetual-BTC-USDT:USDT).
        start: First day (UTC).
        end: Last day, inclusive.
        timestamp: Clock: exchange or true.
        preview: Ask for the free sample; no key is needed.
        output: File to write, by its ending .parquet, .csv or .ndjson. Default: print a table.
        url: Address of the API; by default APERIODIC_API_URL.
    """
    check_range(start, end)
    write = None if output is None else _writer(output)
    declared = dataset(metric)
    arguments: dict[str, Any] = {} if declared.id in _OWN_FUNCTIONS else {"metric": declared.id}
    frame: pl.DataFrame = _function(declared.id)(
        **arguments,
        timestamp=str(Clock.parse(timestamp)),
        interval=str(Interval.parse(interval)),
        exchange=str(exchange),
        symbol=str(symbol),
        start_date=start,
        end_date=end,
        base_url=url,
        preview=preview,
    )
    if output is None or write is None:
        with pl.Config(tbl_width_chars=_TABLE_WIDTH):
            out.print(str(frame), highlight=False, markup=False, soft_wrap=True)
        return
    draft = output.with_name(f".{output.name}.part")
    try:
        write(frame, draft)
        draft.replace(output)
    except OSError as error:
        raise InvalidInputError(
            f"{output} cannot be written: {error.strerror}.", code="bad_output", hint="Choose another file."
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    errors.print(f"Wrote {frame.height:,} rows to {output}.", highlight=False)


def _function(name: str) -> Callable[..., Any]:
    if name in _OWN_FUNCTIONS:
        return _OWN_FUNCTIONS[name]
    return aperiodic.get_metrics if DATASETS[name].driving in _BARS_OF_EVENTS else aperiodic.get_derivative_metrics


def _writer(file: Path) -> Callable[[pl.DataFrame, Path], object]:
    writers: dict[str, Callable[[pl.DataFrame, Path], object]] = {
        ".parquet": lambda frame, path: frame.write_parquet(path),
        ".csv": lambda frame, path: frame.write_csv(path),
        ".ndjson": lambda frame, path: frame.write_ndjson(path),
    }
    try:
        return writers[file.suffix]
    except KeyError:
        raise InvalidInputError(
            f"The ending {file.suffix!r} is not known.",
            code="bad_output",
            hint=f"Write to a file that ends in {', '.join(writers)}.",
        ) from None
