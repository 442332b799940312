"""Files that were once read wrongly, each of a kind; what is right is in the README beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing import import_recordings, import_tardis
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from pathlib import Path

    from aperiodic.lake import Lake


@pytest.mark.parametrize(("name", "trades"), [("bom.txt", 6), ("pzstd.txt.zst", 6), ("recv_ms.txt", 4)])
def test_a_recording_is_read_whole(lake: Lake, real_data: Path, name: str, trades: int) -> None:
    (report,) = import_recordings(lake, Exchange.BINANCE_FUTURES, [real_data / "faults" / name])
    assert (report.ticks, report.rejected) == ({"trades": trades}, {})


def test_a_csv_with_a_byte_order_mark_is_read_whole(lake: Lake, real_data: Path) -> None:
    (report,) = import_tardis(lake, [real_data / "faults/t_bom.csv"])
    assert (report.ticks, report.rejected) == ({"trades": 6}, {})


def test_an_archive_is_refused(lake: Lake, real_data: Path) -> None:
    with pytest.raises(ImportSourceError, match=r"two_recordings\.tar is a tar archive"):
        import_recordings(lake, Exchange.BINANCE_FUTURES, [real_data / "faults/two_recordings.tar"])


def test_a_cut_number_is_not_taken_over(lake: Lake, real_data: Path) -> None:
    (report,) = import_tardis(lake, [real_data / "faults/t_cut_number.csv"])
    assert report.rejected == {"truncated_file": 1}
    assert report.ticks["trades"] == report.lines - 2


def test_empty_days_do_not_stop_a_batch(lake: Lake, real_data: Path) -> None:
    reports = import_tardis(lake, sorted((real_data / "faults").glob("binance-futures_trades_*.csv*")))
    assert [report.ticks for report in reports] == [{"trades": 6}, {}, {}]
    assert [report.lines for report in reports] == [7, 1, 0]
