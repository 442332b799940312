"""`get_symbols` and its async twin."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from aperiodic.client.fetch import fetch_symbols
from aperiodic.client.request import REQUIRED, Account, parse_name
from aperiodic.client.sync import run_blocking
from aperiodic.market import Exchange as Venue

if TYPE_CHECKING:
    from aperiodic.client.types import Exchange

__all__ = ["get_symbols", "get_symbols_async"]


@overload
def get_symbols(api_key: str | None = None, *, exchange: Exchange | str, base_url: str | None = None) -> list[str]: ...


@overload
def get_symbols(api_key: str | None, exchange: Exchange | str, base_url: str | None = None) -> list[str]: ...


def get_symbols(
    api_key: str | None = None, exchange: Exchange | str = REQUIRED, base_url: str | None = None
) -> list[str]:
    """List the instruments of an exchange.

    Args:
        api_key: Your key; by default APERIODIC_API_KEY.
        exchange: Venue, for example "binance-futures".
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else https://aperiodic.io/api/v1.

    Returns:
        Symbols in the Atlas symbology, for example "perpetual-BTC-USDT:USDT".

    Raises:
        InvalidInputError: A value is missing or not valid; no data was asked for. For a venue that this version does
            not know, the server's catalog decides.
        APIError: The server answered with an error.
        AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.
    """
    return run_blocking(get_symbols_async(api_key, exchange, base_url))


@overload
async def get_symbols_async(
    api_key: str | None = None, *, exchange: Exchange | str, base_url: str | None = None
) -> list[str]: ...


@overload
async def get_symbols_async(
    api_key: str | None, exchange: Exchange | str, base_url: str | None = None
) -> list[str]: ...


async def get_symbols_async(
    api_key: str | None = None, exchange: Exchange | str = REQUIRED, base_url: str | None = None
) -> list[str]:
    """List the instruments of an exchange, as `get_symbols` does; `await` it.

    Args:
        api_key: Your key; by default APERIODIC_API_KEY.
        exchange: Venue, for example "binance-futures".
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else https://aperiodic.io/api/v1.

    Returns:
        Symbols in the Atlas symbology.

    Raises:
        AperiodicDataError: As `get_symbols`.
    """
    from aperiodic.client.transport import open_transport  # noqa: PLC0415 (brings the HTTP library, see `fetch_bars`)

    parse_name("exchange", exchange, Venue)
    account = Account.parse(api_key, base_url)
    async with open_transport(max_connections=1) as transport:
        return await fetch_symbols(transport, account, exchange)
