"""What the caller wants to stream, checked before anything is sent; whether a channel exists, the server decides."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from aperiodic.client.request import DEFAULT_BASE_URL, parse_base_url, parse_text
from aperiodic.market import Interval, InvalidInputError

if TYPE_CHECKING:
    from aperiodic.client.stream_messages import StreamChannel

__all__ = [
    "DEFAULT_STREAM_URL",
    "MAX_CHANNELS",
    "channel_of",
    "interval_us",
    "parse_channels",
    "parse_since",
    "parse_stream_url",
    "parse_symbols",
    "refuse_stray_key",
]

DEFAULT_STREAM_URL: Final = "wss://stream.aperiodic.io/v1/stream"
MAX_CHANNELS: Final = 200
"""Channels of one subscription."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_API_PATH: Final = "/api/v1"
_STREAM_PATH: Final = "/v1/stream"
_PARTS: Final = 3
_END_US: Final = 253_402_300_800_000_000
"""Begin of the year 10000, after which no datetime can be."""


def parse_channels(
    dataset: str | None,
    exchange: str | None,
    interval: str | None,
    symbols: Sequence[str] | None,
    timestamp: str | None,
    channels: Sequence[str | StreamChannel] | None,
) -> list[Any]:
    """Return the channels as they are sent.

    Raises:
        InvalidInputError: `missing_channels`, `missing_<name>`, `too_many_channels`, or `bad_<name>`.
    """
    asked: list[Any] = []
    named = {"dataset": dataset, "exchange": exchange, "interval": interval}
    if any(value is not None for value in named.values()):
        asked.append(channel_of(named, symbols, timestamp))
    elif symbols is not None or timestamp is not None:
        raise InvalidInputError(
            "symbols and timestamp belong to dataset, exchange and interval, which were not given.",
            code="missing_dataset",
            hint="Pass all three, or write them into the channels: "
            'channels=[{"dataset": "ohlcv", "exchange": …, "interval": …, "symbols": […]}].',
        )
    if isinstance(channels, str) or not isinstance(channels, Sequence | None):
        raise InvalidInputError(
            "channels is not a list.", code="bad_channels", hint='Write channels=["ohlcv.binance-futures.1m"].'
        )
    asked += [_checked(channel) for channel in channels or ()]
    if not asked:
        raise InvalidInputError(
            "No channel was given.",
            code="missing_channels",
            hint='Pass dataset, exchange and interval, or channels=["ohlcv.binance-futures.1m"].',
        )
    if len(asked) > MAX_CHANNELS:
        raise InvalidInputError(
            f"{len(asked)} channels are too many for one stream.",
            code="too_many_channels",
            hint=f"Take {MAX_CHANNELS} at most; a channel may have many symbols.",
        )
    return asked


def channel_of(
    named: Mapping[str, str | None], symbols: Sequence[str] | None = None, timestamp: str | None = None
) -> dict[str, Any]:
    """Return a channel in its object form.

    Raises:
        InvalidInputError: `missing_<name>` or `bad_<name>`.
    """
    channel: dict[str, Any] = {name: parse_text(name, value) for name, value in named.items()}
    if timestamp is not None:
        channel["timestamp"] = parse_text("timestamp", timestamp)
    if symbols is not None:
        channel["symbols"] = parse_symbols(symbols)
    return channel


def parse_symbols(symbols: object) -> list[str]:
    """Return a list of symbols; one may come by itself.

    Raises:
        InvalidInputError: `bad_symbols`.
    """
    listed = [symbols] if isinstance(symbols, str) else symbols
    if not isinstance(listed, Sequence) or not listed or not all(isinstance(symbol, str) for symbol in listed):
        raise InvalidInputError(
            "symbols is not a list of symbols.",
            code="bad_symbols",
            hint='Write symbols=["perpetual-BTC-USDT:USDT"], or leave it out for every symbol.',
        )
    return list(listed)


def parse_since(since: object, name: str = "since") -> int | None:
    """Return a time as µs since the epoch; None stays None.

    Args:
        since: µs since the epoch, a datetime (without a zone: UTC), a date, or one of both as ISO 8601 text.
        name: What the caller calls it.

    Raises:
        InvalidInputError: `bad_<name>`.
    """
    if since is None:
        return None
    moment = since
    try:
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        if isinstance(moment, date) and not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
        if isinstance(moment, datetime) and isinstance(moment.year, int):  # the year of pandas' NaT is not a number
            aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
            passed = aware - _EPOCH
            moment = (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds
    except (ValueError, OverflowError):
        moment = None
    if isinstance(moment, int) and not isinstance(moment, bool) and 0 <= moment < _END_US:
        return moment
    raise InvalidInputError(
        f"{name} {str(since)[:100]!r} is not a time.",
        code=f"bad_{name}",
        hint="Give a datetime, ISO 8601 text such as '2025-05-01T12:00', or microseconds since 1970.",
    )


def parse_stream_url(text: str | None, base_url: str | None = None) -> str:
    """Return the address of the stream.

    What was left out is `APERIODIC_STREAM_URL`; else it is beside the API when that is named by `base_url` or
    `APERIODIC_API_URL`; else the default.

    Raises:
        InvalidInputError: `bad_stream_url` or `bad_base_url`.
    """
    url = text or os.environ.get("APERIODIC_STREAM_URL") or _beside(parse_base_url(base_url))
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"ws", "wss"} and parts.hostname and not parts.fragment
        _ = parts.port  # raises for one that cannot be
    except ValueError:
        valid = False
    if not valid:
        raise InvalidInputError(
            f"stream_url {url[:200]!r} is not the address of a stream.",
            code="bad_stream_url",
            hint=f"Write it like {DEFAULT_STREAM_URL}.",
        )
    return url


def refuse_stray_key(url: str, api_key: str | None, base_url: str | None = None) -> None:
    """Refuse to send the key of a profile to a stream that is not that of its server.

    Args:
        url: Address of the stream.
        api_key: As the caller gave it.
        base_url: Address of the API, as the caller gave it.

    Raises:
        InvalidInputError: `missing_api_key`.
    """
    if api_key is None and not os.environ.get("APERIODIC_API_KEY") and url != _beside(parse_base_url(base_url)):
        raise InvalidInputError(
            "No API key was given for this stream.",
            code="missing_api_key",
            hint="Pass api_key or set APERIODIC_API_KEY: the key of a profile is sent to its own server only.",
        )


def interval_us(channel: str) -> int:
    """Return the bar length of a channel by its name in µs; 0 when it is not known here."""
    parts = channel.split(".")
    try:
        return Interval(parts[_PARTS - 1]).microseconds if len(parts) >= _PARTS else 0
    except ValueError:
        return 0


def _checked(channel: object) -> Any:  # noqa: ANN401 (text or an object, as it is sent)
    if isinstance(channel, str):
        return channel
    if isinstance(channel, Mapping):
        named = {name: channel.get(name) for name in ("dataset", "exchange", "interval")}
        return {**channel, **channel_of(named, channel.get("symbols"), channel.get("timestamp"))}
    raise InvalidInputError(
        f"A channel is text or an object, not {type(channel).__name__}.",
        code="bad_channels",
        hint='Write "ohlcv.binance-futures.1m".',
    )


def _beside(base_url: str) -> str:
    if base_url == DEFAULT_BASE_URL:
        return DEFAULT_STREAM_URL
    return f"ws{base_url.removesuffix(_API_PATH).removeprefix('http')}{_STREAM_PATH}"
