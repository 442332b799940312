from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from tests.engine.importing.segments import Writer, compressed
from tests.lakes import hashes

from aperiodic.engine.importing import import_recordings
from aperiodic.engine.normalising import Normaliser
from aperiodic.engine.parts import compact_ticks
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from pathlib import Path

VENUE = Exchange.BINANCE_FUTURES
REST = b"https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
_BLOCK = 700


def as_segment(recorded: bytes) -> list[bytes]:
    """Lines of a recording (µs, frame) as a recorder of ours writes them."""
    lines = []
    for line in recorded.splitlines():
        stamp, _, frame = line.partition(b" ")
        word = b"rest !rest %s 200 " % REST if frame.startswith(b'{"lastUpdateId"') else b"c1 "
        lines.append(stamp + b"000 " + word + frame + b"\n")
    return lines


def test_a_recording_that_is_followed_and_killed_gives_the_ticks_of_its_import(real_data: Path, tmp_path: Path) -> None:
    recorded = gzip.decompress((real_data / "binance-usdm/ws_raw/btcusdt_20230404.dat.gz").read_bytes())
    lines = as_segment(recorded)
    whole = Lake.open(Settings(home=tmp_path / "whole"))
    (tmp_path / "all.zst").write_bytes(compressed(lines))
    (report,) = import_recordings(whole, VENUE, [tmp_path / "all.zst"])
    assert report.rejected == {}
    followed = Lake.open(Settings(home=tmp_path / "followed"))
    writer = Writer(followed.home, VENUE)
    normaliser = Normaliser(followed)
    for place, begin in enumerate(range(0, len(lines), _BLOCK)):
        writer.block(*lines[begin : begin + _BLOCK])
        if place % 3 == 0:
            normaliser.run_once()
        if place % 4 == 1:
            normaliser = Normaliser(followed)  # as after a kill
        if place % 7 == 5:
            writer.seal()
    Normaliser(followed).run_once()
    compact_ticks(followed)
    assert hashes(followed, ObjectKind.TICKS) == hashes(whole, ObjectKind.TICKS)
    whole.close()
    followed.close()
