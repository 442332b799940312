"""What the catalog's cards tell of each dataset: venues, how fresh it is, how complete, and a small picture."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, func, literal_column, select

from aperiodic.catalog import DATASETS
from aperiodic.completeness.series import read_series
from aperiodic.lake import ObjectKind
from aperiodic.lake.schema import objects
from aperiodic.market import Exchange, Interval
from aperiodic.server.cache import Cached
from aperiodic.server.site.preview_state import month_cells
from aperiodic.server.site.sparklines import sparkline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup
    from sqlalchemy import Connection

    from aperiodic.catalog import Dataset
    from aperiodic.server.service import Service
    from aperiodic.server.site.preview_bars import PreviewBars

__all__ = ["CardState", "CatalogState", "holds_live", "read_newest"]

_CACHED_S: Final = 5.0
_INTERVAL: Final = Interval.H4
_POINTS: Final = 90
_MONTHS: Final = 24
_BARS: Final = (ObjectKind.BARS, ObjectKind.OPEN_BARS)
_NEWEST: Final = select(func.max(objects.c.last_exchange)).where(
    objects.c.is_current,
    # As the index says it: a bound value would not be known to be the one that it is of.
    objects.c.interval == literal_column("'1m'"),
    objects.c.kind == bindparam("kind"),
    objects.c.dataset == bindparam("dataset"),
    objects.c.exchange == bindparam("exchange"),
)
_ALL_NEWEST: Final = (
    select(objects.c.dataset, objects.c.exchange, objects.c.kind, func.max(objects.c.last_exchange))
    .where(objects.c.is_current, objects.c.kind.in_(_BARS), objects.c.last_exchange.is_not(None))
    .group_by(objects.c.dataset, objects.c.exchange, objects.c.kind)
)


@dataclass(frozen=True, slots=True)
class CardState:
    """What is told of a dataset.

    Attributes:
        exchanges: Venues of which bars are published, in the order of the venues.
        last_bar: Start of the newest published bar of any instrument, µs; None without any.
        live: Whether bars of days that are not over are published.
        months: The newest months of the preview's instrument: each, its state and what to say of it.
        picture: A field to look at first over the preview, and its label; None without data to draw.
    """

    exchanges: tuple[Exchange, ...] = ()
    last_bar: int | None = None
    live: bool = False
    months: tuple[tuple[str, str, str], ...] = ()
    picture: Markup | None = None


class CatalogState:
    """The state of all datasets; the whole ledger has to be gone through, so it is kept for a while."""

    def __init__(self, service: Service, preview_bars: PreviewBars) -> None:
        """Know nothing yet.

        Args:
            service: The installation.
            preview_bars: What may be shown to everyone.
        """
        self._engine = service.lake.engine
        self._preview_bars = preview_bars
        self._cached: Cached[Mapping[str, CardState]] = Cached({}, _CACHED_S)

    def get(self) -> Mapping[str, CardState]:
        """Return the state of every dataset, by its name, or what it was a little while ago.

        Raises:
            LakeError: Store or ledger failed.
        """
        return self._cached.get(self._read)

    def _read(self) -> Mapping[str, CardState]:
        shown = self._preview_bars.shown
        with self._engine.connect() as connection:
            published = read_newest(connection)
            series = [] if shown is None else read_series(connection, shown.exchange, [shown.symbol], most_gaps=1)
        months = {each.dataset: month_cells(each.months[-_MONTHS:]) for each in series}
        return {
            name: CardState(
                exchanges=tuple(exchange for exchange in Exchange if exchange in published.get(name, {})),
                last_bar=max((last for last, _ in published.get(name, {}).values()), default=None),
                live=any(live for _, live in published.get(name, {}).values()),
                months=months.get(name, ()),
                picture=self._picture(declared),
            )
            for name, declared in DATASETS.items()
        }

    def _picture(self, declared: Dataset) -> Markup | None:
        bars = self._preview_bars.frame(declared, _INTERVAL)
        field = (declared.highlights or declared.fields)[0]
        if bars.is_empty():
            return None
        values = bars[field.name].to_list()[:: -(-bars.height // _POINTS)]
        return sparkline(values, [], f"{field.label}, {_INTERVAL} bars of the preview")


def holds_live(connection: Connection) -> bool:
    """Tell whether this installation has bars or ticks of days that are not over, which a live stream tells."""
    kinds = [ObjectKind.OPEN_BARS, ObjectKind.TICK_PARTS]
    found = select(objects.c.id).where(objects.c.is_current, objects.c.kind.in_(kinds)).limit(1)
    return connection.execute(found).first() is not None


def read_newest(connection: Connection) -> dict[str, dict[Exchange, tuple[int, bool]]]:
    """Return the start of the newest bar, and whether its day is not over, by dataset and venue.

    Bars of a minute tell it, for which there is an index; every dataset has them. Only where there are none of them at
    all is the whole ledger gone through.
    """
    found: dict[str, dict[Exchange, tuple[int, bool]]] = {}
    for kind, dataset, exchange in product(_BARS, DATASETS, Exchange):
        last = connection.execute(_NEWEST, {"kind": kind, "dataset": dataset, "exchange": exchange}).scalar_one()
        _note(found, dataset, exchange, last, kind)
    if not found:
        for dataset, exchange, kind, last in connection.execute(_ALL_NEWEST):
            _note(found, dataset, Exchange(exchange), last, ObjectKind(kind))
    return found


def _note(
    found: dict[str, dict[Exchange, tuple[int, bool]]],
    dataset: str,
    exchange: Exchange,
    last: int | None,
    kind: ObjectKind,
) -> None:
    if last is not None:
        venues = found.setdefault(dataset, {})
        before, live = venues.get(exchange, (0, False))
        venues[exchange] = (max(before, last), live or kind is ObjectKind.OPEN_BARS)
