"""Settings of the server: those of the installation, and how it answers."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from aperiodic.catalog import LinkHost  # noqa: TC001 (pydantic reads it)
from aperiodic.lake.settings import HubSettings
from aperiodic.market import Clock, Exchange, Interval, Stream

__all__ = ["PreviewEntry", "RawPreviewEntry", "ServerSettings"]

_BASE_URL: Final = r"^https?://[^/?#]+(/[^?#]*)?$"
_SITE: Final = r"^(\*|https?://(\*\.)?[A-Za-z0-9.-]+(:[0-9]{1,5})?)$"
_LINK: Final = r"^((https?://|mailto:)[!-~]{1,400})?$"


class PreviewEntry(BaseModel):
    """One request that every valid key may make under `/data/preview`; every parameter must be equal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    timestamp: Clock
    interval: Interval
    exchange: Exchange
    symbol: str
    start_date: date
    end_date: date


class RawPreviewEntry(BaseModel):
    """Raw ticks that every valid key may fetch under `/data/raw/preview`: all datasets of an instrument, some days."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exchange: Exchange
    symbol: str
    start_date: date
    end_date: date
    datasets: tuple[Stream, ...] = tuple(Stream)


_BTC: Final = "perpetual-BTC-USDT:USDT"
_PREVIEW: Final = tuple(
    PreviewEntry(
        metric=metric,
        timestamp=Clock.EXCHANGE,
        interval=Interval.M5,
        exchange=Exchange.BINANCE_FUTURES,
        symbol=_BTC,
        start_date=date(2025, 5, 1),
        end_date=date(2025, 5, 31),
    )
    for metric in ("ohlcv", "l2_imbalance")
)
_RAW_PREVIEW: Final = tuple(
    RawPreviewEntry(exchange=exchange, symbol=symbol, start_date=date(2025, 6, 1), end_date=date(2025, 6, 30))
    for exchange, symbol in (
        (Exchange.BINANCE_FUTURES, _BTC),
        (Exchange.OKX_PERPS, _BTC),
        (Exchange.HYPERLIQUID_PERPS, "perpetual-BTC-USDC:USDC"),
    )
)


class ServerSettings(HubSettings):
    """How the server answers; each setting is the environment variable `APERIODIC_<NAME>`.

    Lists and tables are written as JSON.

    Attributes:
        port: Port that `aperiodic serve` listens on.
        public_url: Scheme and host that links begin with; default: as the request came in.
        link_hosts: Scheme and host of the links of some groups of datasets, instead of `public_url`.
        demo_key: The public key that opens the preview and nothing else; empty for none.
        preview: The requests that the preview answers.
        raw_preview: The raw ticks that the preview gives away.
        signup: Whether visitors may make themselves a key of the plan `free`.
        signups_per_hour: Keys that one address may make an hour.
        address_requests_per_minute: Requests a minute from one address that bring no key of their own.
        address_pages_per_minute: Pages of the site, and charts on them, that one address may ask for in a minute.
        connections_per_address: Connections that one address may have open, where no proxies are trusted.
        trusted_proxies: How many reverse proxies add to `X-Forwarded-For`; 0: the header is not believed.
        log_format: How `aperiodic serve` writes its log on standard error.
        embed_origins: Schemes and hosts of the sites that may show charts of the preview in frames; none: no site may.
        operator_name: Who runs the installation, for the bottom of every page; empty: not told.
        operator_contact: Address of a page, or `mailto:` and an e-mail address, to reach the operator; empty for none.
        operator_channels: Addresses where the operator can be followed, as a JSON list.
        operator_terms: Address of the operator's terms; empty for none.
        operator_privacy: Address of what the operator says of privacy; empty for none.
        metrics_token: What a reader of `/metrics` must send; default: it is shown to programs of this host only.
    """

    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str | None = Field(default=None, pattern=_BASE_URL)
    link_hosts: dict[LinkHost, Annotated[str, StringConstraints(pattern=_BASE_URL)]] = Field(default_factory=dict)
    demo_key: str = Field(default="DEMO-KEY", pattern=r"^[!-~]{0,100}$")
    preview: tuple[PreviewEntry, ...] = _PREVIEW
    raw_preview: tuple[RawPreviewEntry, ...] = _RAW_PREVIEW
    signup: bool = True
    signups_per_hour: int = Field(default=5, ge=1)
    address_requests_per_minute: int = Field(default=120, ge=1)
    address_pages_per_minute: int = Field(default=600, ge=1)
    connections_per_address: int = Field(default=256, ge=1)
    trusted_proxies: int = Field(default=0, ge=0, le=10)
    log_format: Literal["json", "text", "none"] = "none"
    embed_origins: tuple[Annotated[str, StringConstraints(pattern=_SITE)], ...] = Field(default=(), max_length=50)
    operator_name: str = Field(default="", max_length=100)
    operator_contact: str = Field(default="", pattern=_LINK)
    operator_channels: tuple[Annotated[str, Field(pattern=_LINK)], ...] = Field(default=(), max_length=6)
    operator_terms: str = Field(default="", pattern=_LINK)
    operator_privacy: str = Field(default="", pattern=_LINK)
    metrics_token: SecretStr | None = None
