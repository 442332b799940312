"""Charts of bars: candles with fields below them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aperiodic.catalog import DATASETS, TIME_COLUMN
from aperiodic.market import InvalidInputError
from aperiodic.research.frames import parse_frame, parse_names, series_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt

__all__ = ["plot"]

_PRICES: Final = ("open", "high", "low", "close")
_MOST_ROWS: Final = 5000
_MOST_PANELS: Final = 12
_UP: Final = "#0f8a5f"
_DOWN: Final = "#c8402f"
_LINE: Final = "#3b5bdb"
_TIMES: Final = {"hours": "%H:%M", "minutes": "%H:%M", "seconds": "%H:%M:%S", "milliseconds": ".%L"}
_SIZES: Final = range(50, 4001)


def plot(
    frame: pl.DataFrame,
    fields: Sequence[str] | None = None,
    *,
    title: str | None = None,
    width: int = 800,
    height: int = 300,
) -> alt.VConcatChart:
    """Draw candles, and fields below them on the same axis of time.

    It needs the package altair. In a notebook the chart draws itself; `chart.save("chart.html")` writes a page, and
    `chart.to_json()` is its Vega-Lite specification.

    Args:
        frame: Bars of one series, as `get_metrics` or `aperiodic.bars` return them. With the columns `open`, `high`,
            `low` and `close` it is drawn as candles, otherwise as lines only.
        fields: Columns to draw, a panel for each; by default none below candles, and all that are numbers (up to 12)
            where there are no candles.
        title: Stands above the chart.
        width: Of the panels, pixels.
        height: Of the candles, pixels; other panels are a third as high.

    Returns:
        The chart; times are shown in UTC. Of more than 5,000 rows, groups of neighbouring rows are drawn: a candle is
        that of its group (first open, highest, lowest, last close), a line is the mean of its group on a band from its
        lowest to its highest value; the subtitle says how many rows a group has.

    Raises:
        InvalidInputError: `missing_package`; `bad_frame`, `null_time`; `several_series`; `empty`;
            `unknown_field`, `not_a_number`, `too_many_fields`, `bad_width` or `bad_height`.
    """
    _require_altair()
    rows = _rows(frame)
    candles = all(name in rows.columns for name in _PRICES)
    chosen = _fields(rows, fields, candles=candles)
    for name, value in (("width", width), ("height", height)):
        if value not in _SIZES:
            raise InvalidInputError(
                f"{name} is {value!r}.", code=f"bad_{name}", hint=f"Give pixels from {_SIZES[0]} to {_SIZES[-1]}."
            )
    size = -(-rows.height // _MOST_ROWS)
    panels = _panels(chosen)
    data = _thinned(rows, panels, size, candles=candles)
    return _Chart(width, height, size).of(data, panels, title, candles=candles, count=rows.height)


@dataclass(frozen=True, slots=True)
class _Panel:
    """A field, and what its columns are called in the chart, where a name may not hold a dot or a bracket."""

    field: str
    name: str
    label: str


def _rows(frame: pl.DataFrame) -> pl.DataFrame:
    parse_frame("frame", frame)
    if frame.is_empty():
        raise InvalidInputError("There are no rows to draw.", code="empty", hint="Ask for other days.")
    for key in series_keys(frame):
        values = frame.get_column(key).unique()
        if len(values) > 1:
            raise InvalidInputError(
                f"There are {len(values)} values of {key}; a chart is of one series.",
                code="several_series",
                hint=f'Filter them: frame.filter(pl.col("{key}") == …), or fetch with shape="wide" and name fields.',
            )
    return frame.sort(TIME_COLUMN)


def _fields(rows: pl.DataFrame, fields: Sequence[str] | None, *, candles: bool) -> list[str]:
    numbers = [name for name, dtype in rows.schema.items() if dtype.is_numeric()]
    by_default = [] if candles else numbers
    chosen = by_default if fields is None else parse_names("field", fields, rows.columns)
    for name in (*(_PRICES if candles else ()), *chosen):
        if name not in numbers:
            raise InvalidInputError(f"{name} holds {rows.schema[name]}, not numbers.", code="not_a_number")
    if len(chosen) > _MOST_PANELS or not (chosen or candles):
        raise InvalidInputError(
            f"There are {len(chosen)} fields to draw.",
            code="too_many_fields" if chosen else "empty",
            hint=f"Name up to {_MOST_PANELS}: fields=[…].",
        )
    return chosen


def _panels(chosen: Sequence[str]) -> list[_Panel]:
    known = {field.name: field for dataset in DATASETS.values() for field in dataset.fields}
    panels = []
    for number, name in enumerate(chosen):
        field, _, series = name.partition("|")
        label = (
            f"{known[field].label}{f' {series}' if series else ''} ({known[field].unit})" if field in known else name
        )
        panels.append(_Panel(name, f"field_{number}", label))
    return panels


def _thinned(rows: pl.DataFrame, panels: Sequence[_Panel], size: int, *, candles: bool) -> pl.DataFrame:
    """Return the groups of rows that are drawn, with times in ms since the epoch."""
    values = rows.with_columns(pl.selectors.numeric().cast(pl.Float64)).with_columns(
        pl.when(pl.selectors.float().is_finite()).then(pl.selectors.float())
    )
    prices = (
        pl.col("open").drop_nulls().first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").drop_nulls().last(),
    )
    columns = [pl.col(TIME_COLUMN).first()]
    columns += [price.alias(f"price_{name}") for name, price in zip(_PRICES, prices, strict=True) if candles]
    for panel in panels:
        value = pl.col(panel.field)
        columns.append(value.mean().alias(panel.name))
        if size > 1:
            columns += [value.min().alias(f"{panel.name}_low"), value.max().alias(f"{panel.name}_high")]
    grouped = values.group_by((pl.int_range(pl.len()) // size).alias("group"), maintain_order=True).agg(columns)
    return grouped.drop("group").with_columns(pl.col(TIME_COLUMN).dt.epoch("ms"))


@dataclass(frozen=True, slots=True)
class _Chart:
    """Sizes of a chart.

    Attributes:
        width: Of the panels, pixels.
        height: Of the candles, pixels.
        size: Rows of a group.
    """

    width: int
    height: int
    size: int

    def of(
        self, data: pl.DataFrame, panels: Sequence[_Panel], title: str | None, *, candles: bool, count: int
    ) -> alt.VConcatChart:
        import altair as alt  # noqa: PLC0415 (it need not be installed, and takes long to import)

        drawn: list[Any] = [self._candles(alt, data.height)] if candles else []
        drawn += [self._panel(alt, panel) for panel in panels]
        rows: Any = alt.Data  # its constructor has no types
        chart: alt.VConcatChart = alt.vconcat(*drawn, data=rows(values=data.to_dicts()), spacing=12).resolve_scale(
            x="shared"
        )
        if self.size > 1:
            said = f"{count:,} rows, drawn as groups of {self.size}"
            return chart.properties(title=alt.TitleParams(text=title or "", anchor="start", subtitle=said))
        if title is not None:
            return chart.properties(title=alt.TitleParams(text=title, anchor="start"))
        return chart

    def _candles(self, alt: Any, count: int) -> Any:  # noqa: ANN401 (the module, and a chart of it)
        color = alt.condition("datum.price_close >= datum.price_open", alt.value(_UP), alt.value(_DOWN))
        prices = [alt.Tooltip(f"price_{name}:Q", title=name, format=",.8~g") for name in _PRICES]
        base = alt.Chart().encode(x=self._time(alt), color=color, tooltip=[self._when(alt), *prices])
        scale = alt.Scale(zero=False)
        sticks = base.mark_rule().encode(y=alt.Y("price_low:Q", scale=scale, title="price"), y2="price_high:Q")
        bodies = base.mark_bar(size=max(1, min(12, 0.7 * self.width / count))).encode(
            y=alt.Y("price_open:Q", scale=scale), y2="price_close:Q"
        )
        return (sticks + bodies).properties(width=self.width, height=self.height)

    def _panel(self, alt: Any, panel: _Panel) -> Any:  # noqa: ANN401 (likewise)
        base = alt.Chart().encode(x=self._time(alt))
        scale = alt.Scale(zero=False)
        tooltip = [self._when(alt), alt.Tooltip(f"{panel.name}:Q", title=panel.field, format=",.8~g")]
        y = alt.Y(f"{panel.name}:Q", scale=scale, title=panel.label)
        layer = base.mark_line(color=_LINE, strokeWidth=1).encode(y=y, tooltip=tooltip)
        if self.size > 1:
            band = base.mark_area(color=_LINE, opacity=0.25).encode(
                y=alt.Y(f"{panel.name}_low:Q", scale=scale, title=panel.label), y2=f"{panel.name}_high:Q"
            )
            layer = band + layer
        return layer.properties(width=self.width, height=max(_SIZES[0], self.height // 3))

    @staticmethod
    def _time(alt: Any) -> Any:  # noqa: ANN401 (likewise)
        return alt.X(f"{TIME_COLUMN}:T", scale=alt.Scale(type="utc"), axis=alt.Axis(format=_TIMES), title=None)

    @staticmethod
    def _when(alt: Any) -> Any:  # noqa: ANN401 (likewise)
        return alt.Tooltip(f"utcyearmonthdatehoursminutesseconds({TIME_COLUMN}):T", title="time (UTC)")


def _require_altair() -> None:
    if importlib.util.find_spec("altair") is None:
        raise InvalidInputError(
            "A chart needs altair, not installed here.",
            code="missing_package",
            hint="Install with: pip install altair.",
        )
