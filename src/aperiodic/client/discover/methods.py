"""The questions that come before a request for data, as methods of both kinds of client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from aperiodic.client.sync import run_blocking

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Unpack

    import polars as pl

    from aperiodic.client.core import Core
    from aperiodic.client.discover.describe import Description
    from aperiodic.client.discover.estimate import Estimate
    from aperiodic.client.options import BarsOptions
    from aperiodic.client.types import CoverageBy, Exchange, Metric

T = TypeVar("T")

__all__ = ["AsyncDiscovery", "Discovery"]

# What answers is imported when it is first asked for, like everything that needs Polars or the HTTP library. For the words
# of the catalog the client's connections are not even opened: mostly no server is asked.


class AsyncDiscovery:
    """Questions of a client, with `await`."""

    _core: Core

    async def estimate(self, metric: Metric | str | Sequence[Metric | str], **options: Unpack[BarsOptions]) -> Estimate:
        """Tell how much a request would fetch; the same as `Client.estimate`."""
        from aperiodic.client.discover.asking import ask_estimate  # noqa: PLC0415

        return await ask_estimate(self._core, metric, options)

    async def coverage(
        self,
        exchange: Exchange | str | Sequence[Exchange | str],
        symbol: str | Sequence[str] | None = None,
        metric: Metric | str | Sequence[Metric | str] | None = None,
        *,
        by: CoverageBy = "series",
    ) -> pl.DataFrame:
        """Tell what is published; the same as `Client.coverage`."""
        from aperiodic.client.discover.asking import ask_coverage  # noqa: PLC0415

        return await ask_coverage(self._core, exchange, symbol, metric, by)

    async def symbols(self, exchange: Exchange | str | Sequence[Exchange | str] | None = None) -> pl.DataFrame:
        """List instruments; the same as `Client.symbols`."""
        from aperiodic.client.discover.asking import ask_symbols  # noqa: PLC0415

        return await ask_symbols(self._core, exchange)

    async def describe(self, name: str | None = None) -> Description:
        """Say what a dataset or a field is; the same as `Client.describe`."""
        from aperiodic.client.discover.asking import ask_description  # noqa: PLC0415

        return await ask_description(self._core, name)

    async def search(self, text: str, *, limit: int = 20, server: bool = False) -> pl.DataFrame:
        """Find datasets and fields by words; the same as `Client.search`."""
        from aperiodic.client.discover.asking import ask_search  # noqa: PLC0415

        return await ask_search(self._core, text, limit, server=server)


class Discovery:
    """Questions of a client that blocks."""

    _core: Core

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        raise NotImplementedError

    def estimate(self, metric: Metric | str | Sequence[Metric | str], **options: Unpack[BarsOptions]) -> Estimate:
        """Tell how much a request would fetch and what it would lack; nothing is downloaded.

        Args:
            metric: Dataset, or several.
            options: As of `get_metrics`; those of the frame to deliver change nothing here.

        Returns:
            An object with `files`, `rows` and `bytes` (None when the server does not say), `missing` and `incomplete`
            (months by series), `series` (all of this of each series) and `frame` (a row for each file). Printed it is
            plain text, in a notebook a table. Files hold whole months: a range that begins or ends within a month
            delivers fewer rows.

        Raises:
            InvalidInputError: A value is missing or not valid.
            APIError: The server answered with an error.
            AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.
        """
        from aperiodic.client.discover.asking import ask_estimate  # noqa: PLC0415

        return self._run(ask_estimate(self._core, metric, options))

    def coverage(
        self,
        exchange: Exchange | str | Sequence[Exchange | str],
        symbol: str | Sequence[str] | None = None,
        metric: Metric | str | Sequence[Metric | str] | None = None,
        *,
        by: CoverageBy = "series",
    ) -> pl.DataFrame:
        """Tell what is published of a venue, and whether to trust it.

        Args:
            exchange: Venue, or several.
            symbol: Instrument, or several; by default all.
            metric: Dataset, or several; by default all.
            by: What a row is: "series", "month" or "gap". Of gaps the server tells the first 1,000 when one instrument
                and one dataset are asked for, else the first 20 of each series.

        Returns:
            A frame that begins with `exchange`, `symbol` and `metric`; datasets follow each other in catalog order.

            by="series": `source` (`recording`, `tardis`, `archive`, `simulated` or `mixed`), `first_day` and `last_day`
            (UTC days with ticks; null without any), `complete` (every month from the first to the last is there and
            lacks nothing), `missing_days`, `missing_months` (names), `gaps`, `months`, `files`, `rows`, `bytes`
            (numbers, over all intervals and clocks), `intervals_exchange` and `intervals_true` (what is published on
            each clock).

            by="month": `month`, `complete`, `gaps`, `missing_days`, `source`, `files`, `rows`, `bytes`, `revision`,
            `published_at` (UTC), `reason`.

            by="gap": `start` and `end` (UTC, without a zone), `stream`, `cause`, `first_missing` and `last_missing`
            (numbers of the venue; null where it does not number).

            What a server does not say is null.

        Raises:
            InvalidInputError: A value is missing or not valid.
            APIError: The server answered with an error.
            AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.
        """
        from aperiodic.client.discover.asking import ask_coverage  # noqa: PLC0415

        return self._run(ask_coverage(self._core, exchange, symbol, metric, by))

    def symbols(self, exchange: Exchange | str | Sequence[Exchange | str] | None = None) -> pl.DataFrame:
        """List instruments, with the days and the datasets there are of each.

        It reads the coverage of a venue page by page; `get_symbols` is one request, and tells names alone.

        Args:
            exchange: Venue, or several; by default all that the server names.

        Returns:
            A frame with `symbol`, `exchange`, `first_day` and `last_day` (UTC days with ticks; null without any) and
            `datasets` (names, in catalog order); ascending by venue, then by symbol.

        Raises:
            InvalidInputError: The venue exists nowhere.
            APIError: The server answered with an error.
            AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.
        """
        from aperiodic.client.discover.asking import ask_symbols  # noqa: PLC0415

        return self._run(ask_symbols(self._core, exchange))

    def describe(self, name: str | None = None) -> Description:
        """Say what a dataset or a field is, in the words of the catalog.

        Args:
            name: Dataset (`flow`), field of a dataset (`flow.flow_entropy`), or field of any dataset (`volume`); None
                for an overview of all datasets. A name that this version does not know is looked up in the server's
                catalog, for which no key is sent.

        Returns:
            An object with `name`, `kind` and `frame` (the same as data, with units, formulas and null rules). Printed it
            is plain text, in a notebook a table.

        Raises:
            InvalidInputError: Neither this version nor the server knows the name (`unknown_name`).
        """
        from aperiodic.client.discover.asking import ask_description  # noqa: PLC0415

        return run_blocking(ask_description(self._core, name))

    def search(self, text: str, *, limit: int = 20, server: bool = False) -> pl.DataFrame:
        """Find datasets and fields by words of their names, labels and descriptions, also mistyped ones.

        Args:
            text: What to look for, for example "imbalance".
            limit: How many to return at most.
            server: Also look in the catalog of the server, for what this version does not know.

        Returns:
            A frame, the best fit first: `name` (`flow`, or `flow.flow_entropy`), `kind` (`dataset` or `field`), `label`,
            `unit` (empty for a dataset), `description` and `score` (higher fits better). What fits every word comes
            alone; where nothing does, what fits any. Empty when nothing fits.

        Raises:
            InvalidInputError: There is no word in the text (`bad_text`), or the limit is not valid (`bad_limit`).
            APIError: The server answered with an error.
            AperiodicDataError: The server could not be reached (`server_unreachable`).
        """
        from aperiodic.client.discover.asking import ask_search  # noqa: PLC0415

        return run_blocking(ask_search(self._core, text, limit, server=server))
