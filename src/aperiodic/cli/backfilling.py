"""`aperiodic backfill`."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from aperiodic.cli.console import errors, print_line, steps
from aperiodic.cli.errors import FAILED, say_error
from aperiodic.cli.installation import Begin, open_lake
from aperiodic.cli.instruments import refresh_instruments
from aperiodic.cli.parameters import Day, ExchangeName, check_range
from aperiodic.engine.backfilling.addresses import read_addresses
from aperiodic.engine.backfilling.contract_sizes import contracts_in_file, instruments_counted_in_contracts
from aperiodic.engine.backfilling.fetching import Fetcher
from aperiodic.engine.backfilling.plan import Request, plan_units
from aperiodic.engine.backfilling.report import Outcome
from aperiodic.engine.backfilling.run import Options, outstanding, run_units
from aperiodic.engine.importing.instruments import known_instruments
from aperiodic.market import AperiodicDataError, InvalidInputError, Stream, Symbol
from aperiodic.market.errors import unknown_value
from aperiodic.market.time import now_us
from aperiodic.venues import venue_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from cyclopts import Token

    from aperiodic.engine.backfilling.plan import Unit
    from aperiodic.engine.backfilling.report import DayReport
    from aperiodic.lake import Lake
    from aperiodic.market import Exchange
    from aperiodic.venues import Contract

__all__ = ["backfill"]

_MOST_DAYS: Final = 4_000
_SHOWN: Final = 5
_GIB: Final = 1 << 30


def _names(_type: Any, tokens: Sequence[Token]) -> list[str]:  # noqa: ANN401 - cyclopts' converter signature
    return [name for token in tokens for name in token.value.split(",") if name]


Names = Annotated[list[str], Parameter(converter=_names, consume_multiple=True, negative=())]


def backfill(
    *,
    exchange: ExchangeName,
    symbols: Names,
    start: Day,
    end: Day,
    streams: Names | None = None,
    tardis: Annotated[bool, Parameter(negative=())] = False,
    instruments: Path | None = None,
    again: Annotated[bool, Parameter(negative=())] = False,
    check: bool = True,
    keep: Annotated[bool, Parameter(negative=())] = False,
    threads: Annotated[int, Parameter(validator=Number(gte=1, lte=16))] = 4,
    yes: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Fetch days gone by from public archives: Binance Vision, OKX, Hyperliquid (the reader pays), or Tardis.

    Days that were imported are not fetched again, so the same command goes on where it stopped. Archives tell no
    arrival times: their days have bars on the exchange clock, and none on the true clock. Tardis does.

    Args:
        exchange: Venue.
        symbols: Instruments, as perpetual-BTC-USDT:USDT or as the venue calls them (BTCUSDT, BTC-USDT-SWAP, BTC).
        start: First UTC day.
        end: Last UTC day, inclusive.
        streams: Only these ticks: trades, quotes, book, mark_price, index_price, funding_rate, open_interest.
        tardis: Fetch from Tardis instead: the first day of each month, with arrival times.
        instruments: File with OKX' answer to /api/v5/public/instruments?instType=SWAP, for the sizes of contracts.
        again: Fetch and read days once more that have been imported, or that the archive has changed.
        check: Compare files that were imported with what the archive has now.
        keep: Keep the files under APERIODIC_HOME/archives after they were imported.
        threads: Files fetched at the same time.
        yes: Spend what the estimate says, where the reader pays.
    """
    check_range(start, end)
    if (end - start).days >= _MOST_DAYS:
        raise InvalidInputError(
            f"The range has over {_MOST_DAYS:,} days.", code="range_too_long", hint="Backfill a few years at a time."
        )
    request = Request(exchange, _symbols(exchange, symbols), start, end, _streams(streams or []), from_tardis=tardis)
    units = plan_units(request)
    places = read_addresses({file.base.name: file.base for unit in units for file in unit.files}.values())
    with open_lake(Begin.ANYWHERE) as lake:
        _require_consent(outstanding(lake, units, again=again), consent=yes)
        contracts = _contracts(lake, exchange, outstanding(lake, units, again=again), instruments)
        fetcher = Fetcher(lake.home / "archives", places)
        try:
            with steps() as progress:
                summary = _Summary(len(units), progress)
                run_units(
                    lake,
                    units,
                    fetcher,
                    contracts,
                    options=Options(again=again, check=check, keep=keep, threads=threads),
                    finished=summary.take,
                )
        finally:
            fetcher.close()
    summary.conclude()


def _symbols(exchange: Exchange, names: Iterable[str]) -> tuple[Symbol, ...]:
    """Read symbols, each written as here or as the venue does.

    Raises:
        InvalidInputError: `bad_symbol` or `unknown_native_symbol`; `no_symbols` without any.
    """
    venue = venue_of(exchange)
    found = []
    for name in names:
        kinds = ("spot-", "perpetual-", "future-")
        found.append(Symbol.parse(name) if name.startswith(kinds) else venue.symbol(name))
    if not found:
        raise InvalidInputError(
            "No instrument is named.", code="no_symbols", hint="Name some: --symbols perpetual-BTC-USDT:USDT"
        )
    return tuple(dict.fromkeys(found))


def _streams(names: Iterable[str]) -> tuple[Stream, ...]:
    for name in names:
        if name not in list(Stream):
            raise unknown_value("stream", name, Stream)
    return tuple(dict.fromkeys(map(Stream, names)))


def _require_consent(units: Sequence[Unit], *, consent: bool) -> None:
    """Say what a backfill costs, and go on only if that is wanted.

    Raises:
        InvalidInputError: `costs_money` when it is not.
    """
    files = {(file.base, file.path): file for unit in units for file in unit.files if file.base.paid}
    if not files:
        return
    size = sum(file.expected_size for file in files.values())
    dollars = sum(file.expected_size * file.base.usd_per_gib for file in files.values()) / _GIB
    words = f"{len(files):,} files of about {size / _GIB:,.2f} GiB together, about {dollars:,.2f} US dollars"
    if not consent:
        raise InvalidInputError(
            f"The reader pays for this archive: {words}, charged to your AWS account. Nothing was fetched.",
            code="costs_money",
            hint="If that is all right: the same command with --yes, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY set.",
        )
    errors.print(f"Fetching {words}.", highlight=False, markup=False, soft_wrap=True)


def _contracts(lake: Lake, exchange: Exchange, units: Sequence[Unit], file: Path | None) -> Mapping[str, Contract]:
    """Return the sizes of contracts in the file that was given; without one, make sure that the ledger knows them."""
    if file is not None:
        return contracts_in_file(exchange, file)
    needed = instruments_counted_in_contracts(units)
    if needed - known_instruments(lake, exchange, now_us()).contracts.keys():
        try:
            refresh_instruments(lake, [exchange])
        except AperiodicDataError as error:
            hint = f"Days whose candles tell them are imported all the same. {error.hint} Or: --instruments FILE"
            say_error(type(error)(error.message, code=error.code, hint=hint), heading="warning")
    return {}


class _Summary:
    """Says what becomes of each day that is not simply imported, and at the end what became of all."""

    def __init__(self, total: int, progress: Callable[[str, int, int], None]) -> None:
        self._total = total
        self._progress = progress
        self._done = 0
        self._days: defaultdict[tuple[str, str], Counter[Outcome]] = defaultdict(Counter)
        self._ticks: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._which: defaultdict[tuple[str, str, Outcome], list[date]] = defaultdict(list)
        self._outcomes: Counter[Outcome] = Counter()

    def take(self, report: DayReport) -> None:
        """Take what is said of a day."""
        self._done += 1
        self._progress("Days looked at", self._done, self._total)
        series = report.table, ", ".join(report.symbols)
        self._days[series][report.outcome] += 1
        self._ticks[series].update(report.ticks)
        self._which[*series, report.outcome].append(report.day)
        self._outcomes[report.outcome] += 1
        what = f"{report.table} {series[1]} {report.day}"
        if report.error is not None:
            error = report.error
            say_error(type(error)(f"{what}: {error.message}", code=error.code, hint=error.hint), heading="refused")
        if report.rejected:
            counts = ", ".join(f"{code} {count:,}" for code, count in report.rejected.items())
            print_line(f"{what}: rejected lines: {counts}")
        if report.outcome is Outcome.CHANGED:
            print_line(f"{what}: the archive has changed {', '.join(report.paths)}; what was imported stays as it is.")
        if report.outcome is Outcome.PARTLY:
            shown = ", ".join(report.paths[:_SHOWN]) + (", …" if len(report.paths) > _SHOWN else "")
            print_line(f"{what}: imported without {shown}, which the archive does not have whole.")

    def conclude(self) -> None:
        """Print the sums.

        Raises:
            SystemExit: A day was refused, or has changed at its source.
        """
        for (table, symbols), outcomes in self._days.items():
            parts = [
                f"{words} {outcomes[outcome]:,}{self._named(table, symbols, outcome)}"
                for outcome, words in _WORDS.items()
                if outcomes[outcome]
            ]
            ticks = ", ".join(f"{stream} {rows:,}" for stream, rows in self._ticks[table, symbols].items() if rows)
            print_line(f"{table} {symbols}: days {'; '.join(parts)}" + (f" (ticks: {ticks})" if ticks else ""))
        if self._outcomes[Outcome.CHANGED]:
            print_line("To take over what the archive has changed: the same command with --again")
        if self._outcomes[Outcome.NOT_YET]:
            print_line("What is not published yet: run the same command again later.")
        if self._outcomes[Outcome.IMPORTED] or self._outcomes[Outcome.PARTLY]:
            print_line("Next: aperiodic build")
        if self._outcomes[Outcome.REFUSED] or self._outcomes[Outcome.CHANGED]:
            raise SystemExit(FAILED)

    def _named(self, table: str, symbols: str, outcome: Outcome) -> str:
        """Name the first days of an outcome that is out of the ordinary."""
        if outcome in {Outcome.IMPORTED, Outcome.HELD}:
            return ""
        days = self._which[table, symbols, outcome]
        shown = ", ".join(map(str, days[:_SHOWN]))
        return f" ({shown}{', …' if len(days) > _SHOWN else ''})"


_WORDS: Final = {
    Outcome.IMPORTED: "imported",
    Outcome.PARTLY: "imported in part",
    Outcome.HELD: "held before",
    Outcome.ABSENT: "not in the archive",
    Outcome.NOT_YET: "not published yet",
    Outcome.CHANGED: "changed at the source",
    Outcome.REFUSED: "refused",
}
