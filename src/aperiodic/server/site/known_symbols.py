"""The instruments of an installation, as the site lists and finds them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aperiodic.market import Exchange
from aperiodic.server.api.data import overall_source
from aperiodic.server.cache import Cached
from aperiodic.server.queries.published import published_symbols

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlalchemy import Engine

    from aperiodic.completeness.tick_days import TickDays

__all__ = ["KnownSymbol", "KnownSymbols", "fitting"]

_CACHED_S: Final = 5.0
_MAX_WORDS: Final = 8
_SPLIT: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class KnownSymbol:
    """An instrument of which something is held.

    Attributes:
        exchange: Venue.
        symbol: Atlas symbol.
        published: Whether there are bars of it.
        streams: Number of streams with ticks.
        first: First UTC day with ticks; None without any.
        last: Last UTC day with ticks.
        source: Where the ticks came from, as of the API; None without any.
    """

    exchange: Exchange
    symbol: str
    published: bool
    streams: int
    first: date | None
    last: date | None
    source: str | None

    @property
    def path(self) -> str:
        """The address of its page."""
        return f"/symbols/{self.exchange}/{self.symbol}"


class KnownSymbols:
    """All instruments; every venue has to be gone through, so they are kept for a while."""

    def __init__(self, engine: Engine) -> None:
        """Know nothing yet.

        Args:
            engine: The ledger.
        """
        self._engine = engine
        self._cached: Cached[Sequence[KnownSymbol]] = Cached((), _CACHED_S)

    def get(self, held: Sequence[TickDays]) -> Sequence[KnownSymbol]:
        """Return the instruments, by venue and name.

        Args:
            held: What is held of ticks.
        """
        return self._cached.get(lambda: self._read(held))

    def _read(self, held: Sequence[TickDays]) -> Sequence[KnownSymbol]:
        ticks: dict[tuple[str, str], list[TickDays]] = {}
        for row in held:
            ticks.setdefault((row.exchange, row.symbol), []).append(row)
        with self._engine.connect() as connection:
            published = {exchange: set(published_symbols(connection, exchange)) for exchange in Exchange}
        return tuple(
            _known(exchange, symbol, symbol in published[exchange], ticks.get((exchange, symbol), []))
            for exchange in Exchange
            for symbol in sorted(published[exchange] | {name for venue, name in ticks if venue == exchange})
        )


def fitting(text: str, known: Sequence[KnownSymbol]) -> list[KnownSymbol]:
    """Return the instruments whose venue and name hold every word of a text, those whose base is the text first.

    `btcusdt`, `BTC/USDT`, `okx btc` and `BTC-USDT-SWAP` without its end find what they mean; case does not matter.
    """
    words = [word for word in _SPLIT.split(text.casefold()) if word][:_MAX_WORDS]
    if not words:
        return []
    found = [(fit, place, item) for place, item in enumerate(known) if (fit := _fit(words, item)) is not None]
    return [item for _, _, item in sorted(found, key=lambda each: each[:2])]


def _fit(words: list[str], item: KnownSymbol) -> int | None:
    """Return how well an instrument fits, 0 best; None when it does not."""
    parts = [part for part in _SPLIT.split(item.symbol.casefold()) if part]
    venue = _SPLIT.split(item.exchange)
    joined = "".join(parts)
    of_symbol = [word for word in words if not any(part.startswith(word) for part in venue)]
    if not all(word in joined for word in of_symbol):
        return None
    if not of_symbol:
        return 2
    return 0 if parts[1] in of_symbol else 1


def _known(exchange: Exchange, symbol: str, published: bool, ticks: Sequence[TickDays]) -> KnownSymbol:
    return KnownSymbol(
        exchange=exchange,
        symbol=symbol,
        published=published,
        streams=len(ticks),
        first=min((row.first for row in ticks), default=None),
        last=max((row.last for row in ticks), default=None),
        source=overall_source({source for row in ticks for source in row.sources}),
    )
