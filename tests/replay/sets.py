"""The recorded sets that are told again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aperiodic.market import Exchange

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SETS", "ReplaySet"]


@dataclass(frozen=True)
class ReplaySet:
    """A recording of the market, as its README names it.

    Attributes:
        exchange: Venue.
        files: Files below the folder of the data; with them what lists the instruments.
        channels: What is captured of it.
        natives: The venue's names of the instruments.
        seconds: Length of the recording.
    """

    exchange: Exchange
    files: tuple[str, ...]
    channels: tuple[str, ...]
    natives: tuple[str, ...]
    seconds: float

    def paths(self, folder: Path) -> list[Path]:
        """Return where the files lie."""
        return [folder / file for file in self.files]


_BINANCE: Final = "binance-usdm/ws_raw_cryptofeed/BINANCE_FUTURES."

SETS: Final = {
    "A": ReplaySet(
        Exchange.BINANCE_FUTURES,
        tuple(f"binance-usdm/ws_raw/btcusdt_2023040{day}.dat.gz" for day in (4, 5)),
        ("trades", "quotes", "book", "mark_price"),
        ("BTCUSDT",),
        515.0,
    ),
    "B": ReplaySet(
        Exchange.BINANCE_FUTURES,
        ("binance-usdm/ws_raw/btcusdt_20240808.gz",),
        ("trades", "quotes", "book"),
        ("BTCUSDT",),
        346.0,
    ),
    "C": ReplaySet(
        Exchange.BINANCE_FUTURES,
        tuple(_BINANCE + part for part in ("0", "http.0.0", "ws.1.0")),
        ("agg_trades", "quotes", "book"),
        ("SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"),
        30.0,
    ),
    "D 2021": ReplaySet(
        Exchange.OKX_PERPS,
        ("okx/ws_raw_20210722/OKEX.0", "okx/ws_raw_20210722/OKEX.ws.1.0"),
        ("trades", "book"),
        ("XMR-USDT-SWAP",),
        31.0,
    ),
    "D 2022": ReplaySet(
        Exchange.OKX_PERPS,
        ("okx/ws_raw_20220513/OKX.0", "okx/ws_raw_20220513/OKX.ws.1.0"),
        ("book",),
        ("UNI-USD-SWAP",),
        11.0,
    ),
    "E": ReplaySet(
        Exchange.HYPERLIQUID_PERPS,
        ("hyperliquid/ws_raw/btcusd_20250126.gz",),
        ("trades", "deep_book"),
        ("BTC",),
        26.0,
    ),
}
