"""Which columns the files of a request should have: those known here, unless the server declares others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aperiodic.client.frames import column_faults, unexpected_columns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from aperiodic.client.links import FileLink

__all__ = ["Columns"]


class Columns:
    """The expected columns of one request; the server is asked only where the known ones do not do.

    Args:
        known: Columns that are known here; none for a dataset that is not.
        ask: Asks the server for its columns; None is its answer when it does not say.
        optional: Columns that a file may lack.
        chosen: Columns that were asked for; None for all.
    """

    def __init__(
        self,
        known: pl.Schema,
        ask: Callable[[], Awaitable[pl.Schema | None]],
        optional: Collection[str] = (),
        chosen: Collection[str] | None = None,
    ) -> None:
        self._chosen = chosen
        self._known = self._of_chosen(known)
        self._ask = ask
        self._optional = optional

    async def check(self, found: pl.Schema, link: FileLink) -> None:
        """Refuse a file whose columns are neither those known here nor those that the server declares.

        Raises:
            DownloadError: `unexpected_schema`.
        """
        faults = self._faults(found, self._known)
        if not self._known or faults:
            declared = await self._ask()
            faults = faults if declared is None else self._faults(found, self._of_chosen(declared))
        if faults:
            raise link.failed(unexpected_columns(faults))

    async def of(self, frames: Sequence[pl.DataFrame]) -> pl.Schema:
        """Return the columns to put first in a result; an empty result has those that the server declares."""
        if frames and self._known:
            return self._known
        declared = await self._ask()
        if declared is None:
            return self._known
        declared = self._of_chosen(declared)
        kept = {name: dtype for name, dtype in self._known.items() if name in declared or name in self._optional}
        return pl.Schema(
            kept | {name: dtype for name, dtype in declared.items() if dtype != pl.Unknown() or name not in kept}
        )

    def _of_chosen(self, schema: pl.Schema) -> pl.Schema:
        if self._chosen is None:
            return schema
        return pl.Schema({name: dtype for name, dtype in schema.items() if name in self._chosen})

    def _faults(self, found: pl.Schema, expected: pl.Schema) -> list[str]:
        return column_faults(found, {name: dtype for name, dtype in expected.items() if name not in self._optional})
