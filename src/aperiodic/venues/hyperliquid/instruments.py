"""Hyperliquid's list of perpetuals, REST `meta` and `metaAndAssetCtxs`.

| field | meaning | becomes |
|---|---|---|
| `name` | | `native`, `symbol` |
| `szDecimals` | decimals of amounts, in base units | `lot_size` |
| `isDelisted` | true: not traded any more | `status` |

When a coin was listed or delisted is not told, and prices have no fixed step.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import DecodeError, Meta, Struct, field
from msgspec.json import Decoder

from aperiodic.market import InvalidInputError
from aperiodic.market.instrument import Instrument, ListingStatus
from aperiodic.venues.events import RejectedFrameError
from aperiodic.venues.hyperliquid.symbols import coin_symbol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msgspec import Raw

__all__ = ["read_listed"]


class _Coin(Struct):
    name: str
    decimals: Annotated[int, Meta(ge=0, le=18)] | None = field(name="szDecimals", default=None)
    delisted: bool = field(name="isDelisted", default=False)


class _Meta(Struct):
    universe: list[_Coin]


_META: Final = Decoder(_Meta)
_WITH_CONTEXTS: Final = Decoder(tuple[_Meta, list[object]])


def read_listed(body: bytes | Raw) -> list[Instrument]:
    """Read an answer to `meta` or `metaAndAssetCtxs`.

    Raises:
        RejectedFrameError: `malformed` when it is no such answer.
    """
    text = bytes(body)
    try:
        listed = _WITH_CONTEXTS.decode(text)[0] if text.lstrip().startswith(b"[") else _META.decode(text)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedFrameError("malformed", str(error)[:200]) from None
    return list(_instruments(listed.universe))


def _instruments(coins: list[_Coin]) -> Iterator[Instrument]:
    for coin in coins:
        try:
            symbol = coin_symbol(coin.name)
        except InvalidInputError:
            continue
        lot = None if coin.decimals is None else Decimal(1).scaleb(-coin.decimals)
        status = ListingStatus.DELISTED if coin.delisted else ListingStatus.TRADING
        yield Instrument(coin.name, symbol, lot_size=lot, status=status)
