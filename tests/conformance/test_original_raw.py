"""Raw ticks with 4.3.1, the version that has them."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any, Final, get_args

import polars as pl
import pytest
from tests.conformance.agreement import assert_same_frame, ours
from tests.conformance.conftest import ALL_DAYS, INSTRUMENT, Call, OriginalClient

from aperiodic.client.types import RawDataset

pytestmark = pytest.mark.conformance

# 4.3.1 refuses the names of the other two itself.
KNOWN: Final = tuple(name for name in get_args(RawDataset) if name not in {"book", "open_interest"})
INSIDE: Final = {"start_date": "2025-04-30", "end_date": "2025-05-01"}


def asked(client: OriginalClient, dataset: str, days: dict[str, str] = INSIDE, **more: Any) -> dict[str, Any]:
    return {"api_key": client.service.api.key, "dataset": dataset, **INSTRUMENT, **days, **more}


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_their_ticks_are_our_ticks(newest: OriginalClient, library: str) -> None:
    wanted = [
        Call(f"get_raw{suffix}-{dataset}-{library}", f"get_raw{suffix}", asked(newest, dataset, output=library))
        for dataset, suffix in product(KNOWN, ("", "_async"))
    ]
    told = newest.run(wanted)
    for call in wanted:
        assert_same_frame(newest, call, told["outcomes"][call.name])
    days = pl.read_parquet(newest.run([Call("t", "get_raw", asked(newest, "trades"))])["outcomes"]["t"]["file"])
    dates = days["exchange_timestamp"].dt.date()
    assert (str(dates.min()), str(dates.max())) == ("2025-04-30", "2025-05-01")


def test_a_range_of_years_is_the_same_for_both(newest: OriginalClient) -> None:
    years = {"start_date": "2024-01-01", "end_date": "2026-01-31"}
    call = Call("years", "get_raw", asked(newest, "funding_rate", years))
    assert_same_frame(newest, call, newest.run([call])["outcomes"]["years"])


def test_their_previews_are_our_previews(newest: OriginalClient) -> None:
    wanted = [
        Call(f"preview{suffix}-{dataset}", f"get_raw{suffix}", asked(newest, dataset, api_key=None, preview=True))
        for dataset, suffix in product(KNOWN, ("", "_async"))
    ]
    told = newest.run(wanted)
    for call in wanted:
        assert_same_frame(newest, call, told["outcomes"][call.name])


@pytest.mark.parametrize("suffix", ["", "_async"])
@pytest.mark.parametrize("preview", [False, True])
def test_their_files_are_our_files(newest: OriginalClient, tmp_path: Path, suffix: str, preview: bool) -> None:
    key = {"api_key": None, "preview": True} if preview else {}
    theirs, mine = tmp_path / "theirs", tmp_path / "ours"
    call = Call("files", f"download_raw{suffix}", asked(newest, "quotes", ALL_DAYS, output_dir=str(theirs), **key))
    paths = [Path(path) for path in newest.run([call])["outcomes"]["files"]["answer"]]
    own = ours(newest, call, output_dir=mine)
    assert [path.relative_to(theirs) for path in paths] == [path.relative_to(mine) for path in own]
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in own]
    assert len(paths) == 4


@pytest.mark.parametrize("suffix", ["", "_async"])
def test_their_coverage_is_our_coverage(newest: OriginalClient, suffix: str) -> None:
    call = Call("coverage", f"get_raw_coverage{suffix}", {})
    theirs = newest.run([call])["outcomes"]["coverage"]["answer"]
    own = ours(newest, Call("", "get_raw_coverage", {}))
    assert theirs.pop("request_id") != own.pop("request_id")
    assert theirs == own
    assert theirs["coverage"]["trades"][INSTRUMENT["exchange"]][INSTRUMENT["symbol"]]["days"] == 4
