"""`aperiodic up`: capture, normalise, build and serve as one."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Self

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from aperiodic.accounts.keys import list_keys
from aperiodic.cli.console import errors, print_line
from aperiodic.cli.errors import NOT_LISTED
from aperiodic.cli.installation import Begin, open_lake, read_settings
from aperiodic.cli.keys import make_key
from aperiodic.cli.parameters import ExchangeList, SymbolList
from aperiodic.cli.stopping import stop_signal
from aperiodic.cli.supervisor import Part, Supervisor
from aperiodic.lake import LakeError
from aperiodic.lake.recordings import claim, host_name
from aperiodic.market import AperiodicDataError, Exchange, InvalidInputError, Symbol
from aperiodic.server import reserve_port
from aperiodic.server.settings import ServerSettings
from aperiodic.venues import all_venues, venue_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["capture_part", "mock_part", "mock_settings", "up"]

_SHARD: Final = "up"
_TOLD_EVERY_S: Final = 30.0
_MOCK_READY_S: Final = 60.0
_FRESH_S: Final = 30.0


def up(
    *,
    exchange: ExchangeList | None = None,
    symbols: SymbolList | None = None,
    mock: Annotated[bool, Parameter(negative=())] = False,
    host: str = "127.0.0.1",
    port: Annotated[int | None, Parameter(validator=Number(gte=0, lte=65535))] = None,
    every: Annotated[float, Parameter(validator=Number(gte=0.5, lte=3_600))] = 2.0,
) -> None:
    """Collect from exchanges, and serve what follows from it, until Ctrl-C: capture, normalise, build, serve.

    Bars of a minute can be read some seconds after it is over. Parts that fail are started again. At the end they stop
    in this order, so that nothing that was received is lost.

    Args:
        exchange: Venues; without them, all four.
        symbols: Instruments, on every venue that trades them; without them, each venue's majors.
        mock: Collect from a simulated market on this machine instead of from exchanges. Use an APERIODIC_HOME of its own.
        host: Address to serve on.
        port: Port to serve on; by default APERIODIC_PORT, else 8000; 0 takes a free one.
        every: Seconds between two commits of new ticks.
    """
    settings = read_settings(ServerSettings)
    chosen = _chosen(exchange or [venue.exchange for venue in all_venues() if venue.feed is not None], symbols or [])
    port = reserve_port(host, settings.port if port is None else port)
    with open_lake(Begin.ANYWHERE) as lake:
        with lake.engine.connect() as connection:
            has_keys = bool(list_keys(connection))
        key = None if has_keys else make_key(lake, "prime-raw", "up")
        home = lake.home
    environment: dict[str, str] = {}
    with _alone(home), stop_signal() as over:
        mocking = mock_part(home, chosen) if mock else None
        if mocking is not None:
            _say("!!! SIMULATED DATA: this is a made-up market, nothing of it happened on an exchange !!!")
            mocking.start()
            environment = mock_settings(home, mocking, over.is_set)
        captures = [capture_part(home, of, names, environment) for of, names in chosen.items()]
        simulated = ["--simulated"] if mock else []
        groups = [
            captures,
            [Part("normalise", ["normalise", "--follow", "--every", str(every), *simulated], complain=_complain)],
            [
                Part("build", ["build", "--follow"], complain=_complain),
                Part("live", ["live"], complain=_complain),
            ],
            [
                Part(
                    "serve",
                    ["serve", "--host", host, "--port", str(port)],
                    state=lambda: f"http://{host}:{port}",
                    complain=_complain,
                )
            ],
        ]
        if mocking is not None:
            groups.append([mocking])
        _say(f"Collecting from {', '.join(chosen)} into {home.absolute()}; serving http://{host}:{port} (Ctrl-C stops)")
        if key is not None:
            print_line(f"export APERIODIC_API_URL=http://{host}:{port}/api/v1 APERIODIC_API_KEY={key}")
            _say("This key is shown once; more with: aperiodic keys create")
        supervisor = Supervisor(groups)
        try:
            with _Screen(simulated=mock) as screen:
                code = supervisor.run(over, screen.tell, stopping=_tell_stopping)
        finally:
            if mocking is not None:
                mocking.stop()
            _say(_last_words(groups))
    if code:
        raise SystemExit(code)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Make sure that no other `up` of this machine works in a home: its parts would be in the way of these.

    Raises:
        LakeError: `up_already`.
    """
    path = home / "capture" / f"{_SHARD}-{host_name()}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file, claim(file) as is_mine:
        if not is_mine:
            raise LakeError(
                f"Another `aperiodic up` works in {home.absolute()}.",
                code="up_already",
                hint="Stop it first, or give this one an APERIODIC_HOME of its own. "
                "More is recorded beside it by: aperiodic capture",
            )
        yield


def _tell_stopping() -> None:
    _say("Stopping: capture, normalise, build, serve (Ctrl-C once more ends them at once)")


def _last_words(groups: Sequence[Sequence[Part]]) -> str:
    """Return in words what became of what was received."""
    captures = groups[0]
    killed = [part.name for group in groups for part in group if part.killed]
    words = "Stopped: what was received is sealed."
    if any(part.killed for part in captures):
        words = "Stopped. What was received is on disk but for the last quarter of a second; the next start seals it."
    elif failed := [part.name for part in captures if part.failed]:
        words = f"Stopped. {', '.join(failed)} failed: what it received is on disk, and the next start seals it."
    if killed:
        words += f" Killed before they had stopped: {', '.join(killed)}; the next start goes on from what is committed."
    return words


def _chosen(exchanges: Sequence[Exchange], symbols: Sequence[Symbol]) -> dict[Exchange, list[Symbol]]:
    """Return what to capture of each venue; nothing stands for its majors."""
    if not symbols:
        return {of: [] for of in exchanges}
    chosen: dict[Exchange, list[Symbol]] = {}
    for of in exchanges:
        venue = venue_of(of)
        for symbol in symbols:
            with suppress(InvalidInputError):
                # A venue may have the same name for what it settles in its one currency.
                if venue.symbol(venue.native(symbol)) == symbol:
                    chosen.setdefault(of, []).append(symbol)
    traded = {symbol for some in chosen.values() for symbol in some}
    if strange := [symbol for symbol in symbols if symbol not in traded]:
        raise InvalidInputError(
            f"None of {', '.join(exchanges)} trades {strange[0]}.",
            code="symbol_not_on_exchange",
            hint="Spot symbols belong to 'binance'; the other exchanges hold perpetuals.",
        )
    return chosen


def capture_part(home: Path, exchange: Exchange, symbols: Sequence[Symbol], environment: dict[str, str]) -> Part:
    """Return the capture of a venue; without symbols, of its majors."""
    arguments = ["capture", "--exchange", exchange, "--shard", _SHARD]
    if symbols:
        arguments += ["--symbols", *(str(symbol) for symbol in symbols)]
    told = home / "capture" / f"{exchange}-{_SHARD}.json"
    return Part(
        f"capture {exchange}",
        arguments,
        environment=environment,
        state=lambda: _captured(told),
        complain=_complain,
        nothing_to_do=NOT_LISTED,
    )


def _captured(path: Path) -> str:
    """Return in words what a capture tells of itself."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return "starting"
    if time.time() - told["time"] > _FRESH_S:
        return "starting"
    if told.get("disk_full"):
        return f"THE DISK IS FULL: nothing is recorded until there is room ({told['disk_full_frames']:,} frames lost)"
    connections = told["connections"]
    live = sum(each["stage"] == "live" for each in connections)
    silent = sum(len(each["silent"]) for each in connections)
    words = [f"{told['frames']:,} frames"]
    if live:
        words.append(f"{live} of {len(connections)} connections live")
        words.append(f"{told['bytes'] / max(told['time'] - told['started'], 1) / 1_000:,.0f} KB/s")
        if (late := told.get("file_lag", {}).get("p99_ms")) is not None:
            words.append(f"in the file within {late:,.0f} ms (p99)")
    else:
        words.append("NO CONNECTION IS LIVE")
    if silent:
        words.append(f"{silent} streams silent")
    if told["dropped_frames"]:
        words.append(f"{told['dropped_frames']:,} frames dropped")
    return ", ".join(words)


def mock_part(home: Path, chosen: dict[Exchange, list[Symbol]]) -> Part:
    """Return the mock exchange of venues and symbols; see `mock_settings`.

    It keeps its port when it is started again, for the captures know no other.
    """
    settings = home / "mock.env"
    settings.unlink(missing_ok=True)
    port = reserve_port("127.0.0.1", 0)
    arguments = ["mock-exchange", "--port", str(port), "--env-file", str(settings)]
    for of in chosen:
        arguments += ["--exchange", of]
    for symbol in dict.fromkeys(symbol for some in chosen.values() for symbol in some):
        arguments += ["--symbol", str(symbol)]
    return Part("mock exchange", arguments, state=lambda: f"port {port}", complain=_complain)


def mock_settings(home: Path, mock: Part, is_over: Callable[[], bool]) -> dict[str, str]:
    """Wait for the mock exchange, and return the settings that lead to it.

    Raises:
        AperiodicDataError: `mock_failed` when it does not come up.
    """
    deadline = time.monotonic() + _MOCK_READY_S
    path = home / "mock.env"
    while time.monotonic() < deadline and mock.is_running and not is_over():
        if path.exists() and (text := path.read_text(encoding="utf-8")).endswith("\n"):
            return dict(line.split("=", 1) for line in text.splitlines())
        time.sleep(0.1)
    if is_over():
        return {}
    mock.stop()
    raise AperiodicDataError(
        "The mock exchange did not start.", code="mock_failed", hint="Try it alone: aperiodic mock-exchange"
    )


class _Screen:
    """Shows a line for each part: on a terminal all the time, else now and then."""

    def __init__(self, *, simulated: bool) -> None:
        self._live = Live(console=errors, transient=True, auto_refresh=False) if errors.is_terminal else None
        self._told: dict[str, str] = {}
        self._at = -_TOLD_EVERY_S
        self._title = "SIMULATED DATA" if simulated else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.__exit__(None, None, None)

    def tell(self, parts: list[Part]) -> None:
        """Show them."""
        if self._live is not None:
            table = Table(box=None, show_header=False, title=self._title)
            for part in parts:
                table.add_row(escape(part.name), escape(part.line))
            self._live.update(table, refresh=True)
            return
        now = time.monotonic()
        if now - self._at >= _TOLD_EVERY_S:
            self._at = now
            for part in parts:
                _say(f"{part.name}: {part.line}")


def _say(words: str) -> None:
    errors.print(words, highlight=False, markup=False, soft_wrap=True)


def _complain(name: str, line: str) -> None:
    _say(f"[{name}] {line}")
