"""Options that the commands of the client share, and the client that they ask for."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import aperiodic

__all__ = ["add_range", "add_server", "client_of", "new_parser", "one_or_several", "range_of"]


def new_parser(command: str, description: str) -> argparse.ArgumentParser:
    """Return a parser of what follows a command; options have to be written out."""
    return argparse.ArgumentParser(f"aperiodic {command}", description=description, allow_abbrev=False)


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add where to ask, and as whom; the key is no option, for options can be read in the list of processes."""
    parser.add_argument("--url", help="address of the API; by default APERIODIC_API_URL, else that of the profile")
    parser.add_argument("--profile", metavar="NAME", help="profile of `aperiodic login`; by default APERIODIC_PROFILE")


def add_range(parser: argparse.ArgumentParser) -> None:
    """Add which bars."""
    parser.add_argument("metric", help="dataset, for example flow, or several: flow,ohlcv")
    parser.add_argument("--interval", required=True, help="bar length, 1s to 1d")
    parser.add_argument(
        "--exchange", required=True, action="append", help="venue, for example binance-futures, or several"
    )
    parser.add_argument(
        "--symbol",
        required=True,
        action="append",
        help="symbol in Atlas symbology (perpetual-BTC-USDT:USDT), or several: with commas, or the option again",
    )
    parser.add_argument("--start", required=True, metavar="DAY", help="first day (UTC), YYYY-MM-DD")
    parser.add_argument("--end", required=True, metavar="DAY", help="last day, included")
    parser.add_argument(
        *("--clock", "--timestamp"),
        dest="timestamp",
        default="exchange",
        metavar="CLOCK",
        help="exchange (default): the venue's time; true: arrival at the capture host",
    )
    parser.add_argument("--preview", action="store_true", help="ask for the free sample; no key is needed")


def range_of(asked: argparse.Namespace) -> dict[str, Any]:
    """Return which bars were asked for, as options of `get_metrics` and of what is like it."""
    return {
        "metric": one_or_several(asked.metric),
        "timestamp": asked.timestamp,
        "interval": asked.interval,
        "exchange": one_or_several(asked.exchange),
        "symbol": one_or_several(asked.symbol),
        "start_date": asked.start,
        "end_date": asked.end,
        "preview": asked.preview,
    }


def one_or_several(values: str | Sequence[str] | None) -> Any:  # noqa: ANN401 (as the client takes it)
    """Return the text, or the texts where commas or repeated options give several; None for none."""
    if values is None:
        return None
    each = [values] if isinstance(values, str) else values
    parts = [part.strip() for value in each for part in value.split(",") if part.strip()]
    return parts[0] if len(parts) == 1 else parts


@contextmanager
def client_of(asked: argparse.Namespace, **settings: Any) -> Iterator[aperiodic.Client]:  # noqa: ANN401 (see Client)
    """Yield the client for the server that was asked for.

    Args:
        asked: Has what `add_server` adds.
        settings: More of the client.

    Raises:
        InvalidInputError: As `aperiodic.Client`.
    """
    import aperiodic  # noqa: PLC0415 (not for --help)

    shown = sys.stderr.isatty() and not getattr(asked, "quiet", False)
    with (
        _profile(asked.profile),
        aperiodic.Client(base_url=asked.url, show_progress=shown, **settings) as client,
    ):
        yield client


@contextmanager
def _profile(name: str | None) -> Iterator[None]:
    """Let the client find this profile."""
    if name is None:
        yield
        return
    before = os.environ.get("APERIODIC_PROFILE")
    os.environ["APERIODIC_PROFILE"] = name
    try:
        yield
    finally:
        os.environ.pop("APERIODIC_PROFILE")
        if before is not None:
            os.environ["APERIODIC_PROFILE"] = before
