"""Real recordings, where they are at hand; see `APERIODIC_REAL_DATA`."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.servers import Api, serving
from tests.shared import built_once

from aperiodic.engine.build import build
from aperiodic.engine.importing import import_recordings, import_tardis
from aperiodic.lake import Lake, Settings
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECORDINGS: Final = {
    Exchange.BINANCE_FUTURES: (
        "binance-usdm/ws_raw/btcusdt_20230404.dat.gz",
        "binance-usdm/ws_raw/btcusdt_20230405.dat.gz",
        "binance-usdm/ws_raw/btcusdt_20240808.gz",
    ),
    Exchange.BINANCE: (
        "binance-spot/ws_raw/btcusdt_20230405.dat.gz",
        "binance-spot/ws_raw/btcusdt_20240808.gz",
        "binance-spot/ws_raw/btcusdt_20240809.gz",
    ),
}


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of recorded market data."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("APERIODIC_REAL_DATA") or beside)
    if not folder.is_dir():
        pytest.skip("no recorded market data here: set APERIODIC_REAL_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def recorded(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets A and B, futures and spot, and the Tardis trades of 2020-02-22, imported and built: read, never changed."""

    def fill(home: Path) -> None:
        with closing(Lake.open(Settings(home=home))) as lake:
            for exchange, names in _RECORDINGS.items():
                import_recordings(lake, exchange, [real_data / name for name in names])
            import_tardis(lake, [real_data / "tardis/binance-futures/trades_2020-02-22_BTCUSDT.csv"])
            build(lake)

    return built_once(tmp_path_factory, "recorded", fill)


@pytest.fixture(scope="session")
def recorded_api(recorded: Path) -> Iterator[Api]:
    """A server of what was recorded."""
    with serving(recorded) as running:
        yield running
