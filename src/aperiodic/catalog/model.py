"""What a dataset and a field are.

A field is declared once, with its words and its expression. The expression is written over *partials*: the
mergeable states of a bar that the engine computes (`catalog/partials.py` names them). Polars is imported when it is
used: families are known by name to commands that otherwise need none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from aperiodic.market import Stream

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Category", "Dataset", "Family", "Field", "LinkHost", "MetricGroup", "MonthProduct", "Unit"]


class Category(StrEnum):
    """Groups of datasets, in the order of the site."""

    TRADES = "Trades"
    DERIVATIVES = "Derivatives"
    MARKET_DATA = "Market Data"
    L1 = "L1 (Top of Book)"
    L2 = "L2 (Order Book)"


class Unit(StrEnum):
    """Units of fields, as printed in tables."""

    BASE = "base units"
    QUOTE = "quote units"
    PRICE = "quote units per base unit"
    COUNT = "count"
    RATIO = "ratio"
    FRACTION = "fraction of 1"
    NATS = "nats"
    SCORE = "score"
    QUOTE_PER_BASE = "quote units ÷ base units"
    BASIS_POINTS = "basis points"
    SECONDS = "seconds"
    PERCENT = "percent"
    PER_SECOND = "per second"
    PRICE_PER_BASE = "quote units ÷ base units²"
    SQUARED_BASE = "base units²"
    SQUARED_PRICE = "(quote units per base unit)²"
    RETURN = "simple return"
    RETURN_PER_BASE = "simple return per base unit"
    RETURN_PER_QUOTE = "simple return per quote unit"
    LOG_RETURN = "log return"
    SQUARED_LOG_RETURN = "log return²"


class Family(StrEnum):
    """Datasets that are computed together: bars of the same driving events, joined to the same other streams."""

    TRADES = "trades"
    SLIPPAGE = "slippage"
    QUOTES = "quotes"
    BOOK = "book"
    MARK_PRICE = "mark_price"
    FUNDING_RATE = "funding_rate"
    OPEN_INTEREST = "open_interest"

    @property
    def driving(self) -> Stream:
        """The stream whose events decide which bars exist."""
        return Stream.TRADES if self is Family.SLIPPAGE else Stream(self)

    @property
    def joined(self) -> tuple[Stream, ...]:
        """Streams looked up as of each driving event."""
        return _JOINED.get(self, ())


_JOINED: Final = {
    Family.SLIPPAGE: (Stream.QUOTES,),
    Family.MARK_PRICE: (Stream.INDEX_PRICE, Stream.TRADES),
    Family.OPEN_INTEREST: (Stream.MARK_PRICE,),
}


class LinkHost(StrEnum):
    """What can be given a link host of its own; the names are those that installed clients know."""

    OHLCV = "ohlcv"
    TRADE = "trade-metrics"
    L1 = "l1-metrics"
    L2 = "l2-metrics"
    DERIVATIVE = "derivative-metrics"
    RAW = "raw"


class MetricGroup(StrEnum):
    """Datasets that one function of the SDK fetches, by what drives them."""

    TRADE = "trade"
    L1 = "l1"
    L2 = "l2"
    DERIVATIVE = "derivative"

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Streams whose events decide which bars of its datasets exist."""
        return _STREAMS[self]

    @property
    def sdk_function(self) -> str:
        """Name of the function."""
        return f"get_{self}_metrics"


_STREAMS: Final = {
    MetricGroup.TRADE: (Stream.TRADES,),
    MetricGroup.L1: (Stream.QUOTES,),
    MetricGroup.L2: (Stream.BOOK,),
    MetricGroup.DERIVATIVE: (Stream.MARK_PRICE, Stream.FUNDING_RATE, Stream.OPEN_INTEREST),
}


@dataclass(frozen=True, slots=True)
class MonthProduct:
    """A field that looks back over its calendar month: the product of two past-normalised bar quantities.

    Each quantity x becomes (x - mean) / sample std over the bars of the UTC month up to and including its own.
    Null on the first bar of the month and where either std is 0.
    """

    x: pl.Expr
    y: pl.Expr


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a dataset.

    Attributes:
        name: Column name.
        label: Short name for people.
        unit: Unit of the values.
        description: What it tells, in one or two sentences.
        formula: The definition in mathematical notation.
        value: Polars expression over partials, or a month quantity.
        null: When the value is null.
        highlight: How to read it; only for the fields that a reader should look at first.
        caveat: What ends the description of this field and of others beside it, which a page may say once for all.
        integer: True for counts (Int64); everything else is Float64.
    """

    name: str
    label: str
    unit: Unit
    description: str
    formula: str
    value: pl.Expr | MonthProduct
    null: str = "never"
    highlight: str | None = None
    caveat: str = ""
    integer: bool = False

    @property
    def own_description(self) -> str:
        """The description without what it shares with the fields beside it."""
        return self.description.removesuffix(self.caveat).rstrip(" ;").removesuffix(".") + "."

    @property
    def dtype(self) -> pl.DataType:
        """Column type in the published file."""
        import polars as pl  # noqa: PLC0415 - see the top of this module

        return pl.Int64() if self.integer else pl.Float64()


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A metric dataset: one row an interval, `time` and the fields in this order. There is one of each.

    Attributes:
        id: Name in URLs, paths and functions.
        name: Title for people.
        category: Group on the site.
        tier: Lowest plan tier that includes it (1, 2 or 3).
        family: What it is computed with, and from which streams.
        description: One line.
        fields: In file order.
        first: Names of the fields to look at first, where their order is not that of the file.
        own_function: Function of the SDK that fetches this dataset alone; None when its group's function does.
        own_host: Link host of this dataset alone; None when it shares that of its group.
    """

    id: str
    name: str
    category: Category
    tier: int
    family: Family
    description: str
    fields: tuple[Field, ...]
    first: tuple[str, ...] = ()
    own_function: str | None = None
    own_host: LinkHost | None = None

    @property
    def driving(self) -> Stream:
        """The tick stream whose events decide which bars exist."""
        return self.family.driving

    @property
    def highlights(self) -> tuple[Field, ...]:
        """The fields to look at first, in the order in which to look at them."""
        highlighted = {field.name: field for field in self.fields if field.highlight is not None}
        return tuple({name: highlighted[name] for name in (*self.first, *highlighted)}.values())

    @property
    def streams(self) -> tuple[Stream, ...]:
        """All tick streams that it is made from, the driving one first."""
        return (self.driving, *self.family.joined)

    @property
    def group(self) -> MetricGroup:
        """The datasets that it is fetched with."""
        return next(group for group in MetricGroup if self.driving in group.streams)

    @property
    def sdk_function(self) -> str:
        """Name of the SDK's function that fetches it."""
        return self.own_function or self.group.sdk_function

    @property
    def link_host(self) -> LinkHost:
        """What its links can be given a host as."""
        return self.own_host or LinkHost[self.group.name]

    @property
    def schema(self) -> pl.Schema:
        """Columns of the published file."""
        import polars as pl  # noqa: PLC0415 - see the top of this module

        return pl.Schema({TIME_COLUMN: pl.Datetime("us"), **{field.name: field.dtype for field in self.fields}})


TIME_COLUMN: Final = "time"
"""Start of the interval: timezone-naive UTC, ascending, unique."""
