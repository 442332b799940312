"""What a venue is to the rest of the platform: one object, in one folder, registered once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from aperiodic.market import BOOK_DEPTH, InvalidInputError, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aperiodic.market import Exchange
    from aperiodic.market.instrument import Instrument
    from aperiodic.venues.archive import ArchiveTable
    from aperiodic.venues.book import Book
    from aperiodic.venues.contracts import Contract
    from aperiodic.venues.events import Sink
    from aperiodic.venues.feed import Feed

__all__ = ["DerivativeHabits", "Habits", "Instruments", "Mapper", "Venue", "not_traded", "read_symbol"]

_MAX_NAME: Final = 100


@dataclass(slots=True)
class Instruments:
    """What a venue says of its instruments, by the venue's own names.

    Attributes:
        symbols: Atlas symbols, where the venue tells base and quote.
        contracts: Sizes of contracts, where the venue counts in contracts.
    """

    symbols: dict[str, Symbol] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)

    def update(self, other: Instruments) -> None:
        """Take over what another answer says; the later one wins."""
        self.symbols.update(other.symbols)
        self.contracts.update(other.contracts)


class Mapper(Protocol):
    """Reads the frames of one recording, in the order they were received."""

    def read(self, local: int, frame: bytes) -> None:
        """Read one frame that arrived at `local`, µs.

        Raises:
            RejectedFrameError: The frame makes no tick.
            UnknownContractError: A size of contracts is needed that is not known.
        """

    def books(self) -> Iterable[tuple[Symbol, int, Book]]:
        """Every numbered book that is known, with its symbol and the number of its last update."""


@dataclass(frozen=True, slots=True)
class DerivativeHabits:
    """How a venue sends what only perpetuals have.

    Attributes:
        every_ms: Time between mark and index prices.
        funding_every_ms: Time between funding rates.
        funding_hours: Hours between payments of funding.
        one_message: Whether mark, index and funding travel in the same message, and so arrive together.
    """

    every_ms: int
    funding_every_ms: int
    funding_hours: int
    one_message: bool


@dataclass(frozen=True, slots=True)
class Habits:
    """What the simulator imitates.

    Attributes:
        median_delay_us: Median time from the matching engine to the capture host.
        book_every_ms: The book is sent at most once in this time.
        book_levels: Levels a side that the book shows.
        extra_spread: Mean of the spread beyond one tick, in ticks.
        tick_refinement: Digits by which prices are finer than usual; negative: coarser.
        derivatives: How mark price, index price, funding and open interest are sent; None where there are none.
    """

    median_delay_us: float
    book_every_ms: int = 100
    book_levels: int = BOOK_DEPTH
    extra_spread: float = 0.4
    tick_refinement: int = 0
    derivatives: DerivativeHabits | None = None


class Venue(Protocol):
    """One exchange.

    Attributes:
        exchange: Its name in the REST API.
        label: Its name for people.
        streams: Tick streams that it has.
        numbered: Those whose events carry numbers of the venue that order them; trades in it also count up by one,
            so that their numbers prove that none is missing.
        modelled: Those without a time of the venue: the arrival time stands in.
        modelled_at_times: Those whose time was missing in older recordings; the ledger notes which.
        tardis: Its name in Tardis' files; None where there are none.
        counts_contracts: Whether amounts are sent in contracts.
        forms: Names that a frame has on its outside, a set for each form: they tell whose a frame is.
        archives: What it publishes of days gone by.
        habits: What the simulator imitates.
        feed: Its live side; None where it cannot be captured.
    """

    exchange: Exchange
    label: str
    streams: tuple[Stream, ...]
    numbered: frozenset[Stream]
    modelled: frozenset[Stream] = frozenset()
    modelled_at_times: frozenset[Stream] = frozenset()
    tardis: str | None = None
    counts_contracts: bool = False
    forms: tuple[frozenset[str], ...] = ()
    archives: tuple[ArchiveTable, ...] = ()
    habits: Habits
    feed: Feed | None = None

    def symbol(self, native: str) -> Symbol:
        """Return the symbol that the venue calls `native`, told from the name alone.

        Raises:
            InvalidInputError: `unknown_native_symbol` when the name cannot be split into its assets.
        """

    def native(self, symbol: Symbol) -> str:
        """Return the name that the venue uses for an instrument.

        Raises:
            InvalidInputError: `symbol_not_on_exchange` when it does not trade such an instrument.
        """

    def mapper(
        self,
        sink: Sink,
        instruments: Instruments,
        *,
        recorded_before: Callable[[Symbol, int], bool] = lambda _symbol, _local: False,
        on_book: Callable[[Symbol, int, Book], None] | None = None,
    ) -> Mapper:
        """Begin a recording.

        Args:
            sink: Receives the ticks.
            instruments: What is known of instruments beforehand; the recording may tell more.
            recorded_before: Whether trades of a symbol were recorded before some arrival time (µs): then the first
                ones of this recording carry on from those and are no backlog.
            on_book: Called with symbol, number (-1 if there is none) and book after every update applied to a book.
        """

    def response_frame(self, url: str, body: bytes) -> bytes | None:
        """Return a REST response as a frame that the mapper reads, None when nothing in it is wanted.

        Raises:
            RejectedFrameError: `malformed` when the response is not what its address promises.
        """
        del url, body
        return None

    def answers_book(self, url: str) -> bool:
        """Whether an address answers with a whole order book, from which the changes of a recording beside it can go on."""
        del url
        return False

    def instruments(self, body: bytes) -> Instruments | None:
        """Read a REST response that lists instruments, None when it is not one.

        Raises:
            RejectedFrameError: `malformed` when it is one that cannot be read.
        """
        del body
        return None

    def listed(self, body: bytes) -> list[Instrument] | None:
        """Read a REST response that lists instruments with all that it says of them, None when it is not one.

        Raises:
            RejectedFrameError: `malformed` when it is one that cannot be read.
        """
        del body
        return None


def read_symbol(exchange: Exchange, native: str, text: str | None, hint: str | None = None) -> Symbol:
    """Read the Atlas symbol that a venue's name was translated to; None stands for a name that cannot be.

    Raises:
        InvalidInputError: `unknown_native_symbol`.
    """
    try:
        return Symbol.parse(text or "")
    except InvalidInputError:
        raise InvalidInputError(
            f"{exchange} does not trade an instrument named {native[:_MAX_NAME]!r} that this version understands.",
            code="unknown_native_symbol",
            hint=hint or "Give the venue's own name, for example BTCUSDT, BTC-USDT-SWAP or BTC.",
        ) from None


def not_traded(exchange: Exchange, symbol: Symbol) -> InvalidInputError:
    """Build the error for an instrument of a kind that a venue does not trade."""
    return InvalidInputError(
        f"{exchange} does not trade {symbol}.",
        code="symbol_not_on_exchange",
        hint="Spot symbols belong to 'binance'; the other exchanges hold perpetuals.",
    )
