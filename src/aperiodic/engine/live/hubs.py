"""The seam between those who make live rows and those who serve them: on one machine, or over NATS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aperiodic.engine.live.hub import LiveHub, follow_hub, is_made
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aperiodic.engine.live.rows import LiveRow, LiveSeries, Seconds
    from aperiodic.lake.settings import HubSettings

__all__ = ["LocalSource", "RowsHub", "RowsSource", "look_at_hub", "open_hub", "open_source"]


class RowsHub(Protocol):
    """Hands rows to all who read."""

    @property
    def readers(self) -> int:
        """How many servers read."""

    @property
    def seconds(self) -> Seconds:
        """The bars below a minute that anybody reads."""

    @property
    def trouble(self) -> str | None:
        """Why rows do not leave at the moment; None where they do."""

    def tell(self, rows: list[LiveRow]) -> None:
        """Hand rows to all readers; never waits for one."""

    def close(self) -> None:
        """Let all readers go."""


class RowsSource(Protocol):
    """Where a server gets rows from."""

    @property
    def is_remote(self) -> bool:
        """Whether they come from another process than those of this machine."""

    @property
    def trouble(self) -> str | None:
        """Why no rows come at the moment; None where they do."""

    def is_made(self) -> bool:
        """Whether somebody can be expected to make rows."""

    def follow(
        self,
        receive: Callable[[list[LiveRow], bool], object],
        is_over: Callable[[], bool],
        wait: Callable[[float], object],
        seconds: Callable[[], Seconds],
        up_to_date: Callable[[], object],
    ) -> None:
        """Receive rows until `is_over`; see `follow_hub`. `receive` may take its time: what comes meanwhile waits."""

    def past(self, series: LiveSeries, since: int, most: int) -> list[LiveRow]:
        """Return the rows of a series told since a time, µs, that are kept apart from files: the last `most`, in order."""


class LocalSource:
    """Rows of a maker on this machine.

    Args:
        home: Folder of the installation.
    """

    is_remote = False
    trouble = None

    def __init__(self, home: Path) -> None:
        self._home = home

    def is_made(self) -> bool:
        """Whether there is somebody who makes rows, or was a moment ago."""
        return is_made(self._home)

    def follow(
        self,
        receive: Callable[[list[LiveRow], bool], object],
        is_over: Callable[[], bool],
        wait: Callable[[float], object],
        seconds: Callable[[], Seconds],
        up_to_date: Callable[[], object],
    ) -> None:
        """Receive rows until `is_over`; see `follow_hub`."""
        follow_hub(self._home, receive, is_over, wait, seconds, up_to_date)

    def past(self, _series: LiveSeries, _since: int, _most: int) -> list[LiveRow]:
        """Return nothing: what is kept comes with `follow`."""
        return []


def open_hub(home: Path, settings: HubSettings) -> RowsHub:
    """Return where rows are told, by the settings.

    Raises:
        AperiodicDataError: `package_missing`.
    """
    if settings.live_hub is None:
        return LiveHub(home)
    _require_package()
    from aperiodic.engine.live.nats_hub import NatsHub  # noqa: PLC0415 - the package is an extra

    return NatsHub(settings)


def open_source(home: Path, settings: HubSettings) -> RowsSource:
    """Return where rows come from, by the settings.

    Raises:
        AperiodicDataError: `package_missing`.
    """
    if settings.live_hub is None:
        return LocalSource(home)
    _require_package()
    from aperiodic.engine.live.nats_source import NatsSource  # noqa: PLC0415 - the package is an extra

    return NatsSource(settings)


def look_at_hub(settings: HubSettings) -> tuple[str, bool]:
    """Return what there is at the NATS server of the settings, in words, and whether it is well.

    Raises:
        AperiodicDataError: `package_missing`.
    """
    _require_package()
    from aperiodic.engine.live.nats_server import look  # noqa: PLC0415 - the package is an extra

    return look(settings)


def _require_package() -> None:
    try:
        import nats.js  # noqa: F401, PLC0415 - asked whether it is there
    except ModuleNotFoundError as error:
        raise AperiodicDataError(
            "Live rows over NATS need the package 'nats-py', which is not installed.",
            code="package_missing",
            hint="Install with: pip install nats-py. Or unset APERIODIC_LIVE_HUB: rows stay on this machine then.",
        ) from error
