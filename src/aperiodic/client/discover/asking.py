"""The questions of `methods.py`, asked with the connections of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from aperiodic.client.discover.describe import describe_name
from aperiodic.client.discover.search import search_words
from aperiodic.client.discover.words import known_words, read_words
from aperiodic.client.request import Account, parse_choice, parse_texts
from aperiodic.client.types import CoverageBy
from aperiodic.market import Symbol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from aperiodic.client.core import Core
    from aperiodic.client.discover.describe import Description
    from aperiodic.client.discover.estimate import Estimate
    from aperiodic.client.names import ServerNames
    from aperiodic.client.session import Session

__all__ = ["ask_coverage", "ask_description", "ask_estimate", "ask_search", "ask_symbols"]

# The HTTP library takes as long to import as the rest of the package; nothing needs it before the first request.


async def ask_estimate(core: Core, metric: object, options: Mapping[str, Any]) -> Estimate:
    """See `Client.estimate`."""
    from aperiodic.client.discover.estimate import Estimate  # noqa: PLC0415
    from aperiodic.client.series import find_series  # noqa: PLC0415

    request = core.request(metric, options)
    async with core.session() as session:
        return Estimate.of(await find_series(session, request))


async def ask_coverage(core: Core, exchange: object, symbol: object, metric: object, by: CoverageBy) -> pl.DataFrame:
    """See `Client.coverage`."""
    from aperiodic.client.discover.coverage import coverage_frame  # noqa: PLC0415

    parse_choice("by", by, get_args(CoverageBy))
    account = Account.parse(core.settings.api_key, core.settings.base_url)
    venues = parse_texts("exchange", exchange)
    symbols = [None] if symbol is None else [str(Symbol.parse(text)) for text in parse_texts("symbol", symbol)]
    metrics = [None] if metric is None else parse_texts("metric", metric)
    async with core.session() as session:
        names = _names(session, account)
        for venue in venues:
            await names.check_exchange(venue)
        for name in metrics:
            if name is not None:
                await names.check_metric(name, None)
        wanted = [(venue, one, name) for venue in venues for one in symbols for name in metrics]
        return coverage_frame(await _series(session, account, wanted), by)


async def ask_symbols(core: Core, exchange: object) -> pl.DataFrame:
    """See `Client.symbols`."""
    from aperiodic.client.discover.symbols_frame import symbols_frame  # noqa: PLC0415

    account = Account.parse(core.settings.api_key, core.settings.base_url)
    async with core.session() as session:
        names = _names(session, account)
        if exchange is None:
            venues = await names.exchanges()
        else:
            venues = parse_texts("exchange", exchange)
            for venue in venues:
                await names.check_exchange(venue)
        return symbols_frame(await _series(session, account, [(venue, None, None) for venue in venues]))


async def ask_description(core: Core, name: str | None) -> Description:
    """See `Client.describe`."""

    async def ask() -> Mapping[str, Any]:
        return await _catalog(core)

    return await describe_name(name, ask)


async def ask_search(core: Core, text: str, limit: int, *, server: bool) -> pl.DataFrame:
    """See `Client.search`."""
    datasets = known_words()
    if server:
        known = {dataset.id for dataset in datasets}
        datasets += [dataset for dataset in read_words(await _catalog(core)) if dataset.id not in known]
    return search_words(text, datasets, limit)


async def _catalog(core: Core) -> Mapping[str, Any]:
    from aperiodic.client.rest import get_json  # noqa: PLC0415

    async with core.session() as session:
        url = f"{core.settings.base_url}/metadata/catalog"
        return await get_json(session.transport, url, params={}, api_key=None)


async def _series(
    session: Session, account: Account, wanted: Sequence[tuple[str, str | None, str | None]]
) -> list[dict[str, Any]]:
    from aperiodic.client.discover.coverage import fetch_series  # noqa: PLC0415
    from aperiodic.client.download import all_of  # noqa: PLC0415

    async def ask(venue: str, symbol: str | None, metric: str | None) -> list[dict[str, Any]]:
        async with session.slots:
            return await fetch_series(session.transport, account, venue, symbol, metric)

    each = await all_of(ask(*one) for one in wanted)
    return [item for series in each for item in series]


def _names(session: Session, account: Account) -> ServerNames:
    from aperiodic.client.names import ServerNames  # noqa: PLC0415

    return ServerNames(session.transport, account.base_url)
