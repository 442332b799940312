"""Raw ticks on disk: where files lie, what is fetched, and what an interruption leaves."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.client.mock_api import Reply, json_reply, parquet, raw_reply, trades

import aperiodic
from aperiodic.client import saving

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.client.mock_api import FakeApi

ENDPOINT = "/api/v1/data/raw/trades"
DAYS = ("2025-01-01", "2025-01-02", "2025-01-03")
SERIES = Path("trades/exchange=binance-futures/symbol=perpetual-BTC-USDT:USDT/year=2025/month=01")
DAY = "2025-01-01"
BODY = parquet(trades(DAY, 5000))


def download(fake: FakeApi, folder: Path, **changes: object) -> list[Path]:
    paths: list[Path] = aperiodic.download_raw(**fake.raw_request(output_dir=folder, **changes))
    return paths


def one_day(fake: FakeApi, folder: Path, **changes: object) -> list[Path]:
    return download(fake, folder, start_date=DAY, end_date=DAY, **changes)


def publish_one(fake: FakeApi, body: bytes = BODY, **changes: object) -> None:
    fake.api.on(ENDPOINT, raw_reply([fake.raw_file(DAY, body, **changes)]))


def files_in(folder: Path) -> Mapping[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def part_of(folder: Path) -> Path:
    path = folder / SERIES / "day=01" / "data.parquet.part"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_files_lie_in_hive_partitions_and_are_those_of_the_server(fake: FakeApi, tmp_path: Path) -> None:
    bodies = fake.publish_raw(*DAYS[::-1])
    paths = download(fake, tmp_path / "new" / "folder")
    assert [path.relative_to(tmp_path / "new" / "folder") for path in paths] == [
        SERIES / f"day={number:02d}" / "data.parquet" for number in (1, 2, 3)
    ]
    assert [path.read_bytes() for path in paths] == [bodies[day] for day in DAYS]
    assert len(files_in(tmp_path)) == 3
    read = pl.read_parquet(tmp_path / "new" / "folder" / "**" / "*.parquet", hive_partitioning=False)
    assert_frame_equal(read, pl.concat([trades(day) for day in DAYS]))


def test_the_file_of_a_month_has_no_day(fake: FakeApi, tmp_path: Path) -> None:
    fake.api.on(ENDPOINT, raw_reply([fake.raw_file("2025-01", BODY)]))
    assert download(fake, tmp_path) == [tmp_path / SERIES / "data.parquet"]


def test_windows_gets_names_without_colons(fake: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_one(fake)
    monkeypatch.setattr(saving, "_COLON", "%3A")
    (path,) = one_day(fake, tmp_path)
    assert "symbol=perpetual-BTC-USDT%3AUSDT" in path.parts


def test_what_is_there_and_right_stays(fake: FakeApi, tmp_path: Path) -> None:
    fake.publish_raw(*DAYS)
    first = download(fake, tmp_path)
    fake.store.asked.clear()
    assert download(fake, tmp_path) == first
    assert fake.store.asked == []
    assert download(fake, tmp_path, overwrite=True) == first
    assert len(fake.store.asked) == 3


@pytest.mark.parametrize("damaged", [BODY[:-1], BODY[:99] + bytes([BODY[99] ^ 1]) + BODY[100:]])
def test_a_file_of_other_content_is_fetched_again(fake: FakeApi, tmp_path: Path, damaged: bytes) -> None:
    publish_one(fake)
    (path,) = one_day(fake, tmp_path)
    path.write_bytes(damaged)
    one_day(fake, tmp_path)
    assert path.read_bytes() == BODY


def test_a_server_that_tells_only_the_size_is_believed(fake: FakeApi, tmp_path: Path) -> None:
    publish_one(fake, sha256=None)
    one_day(fake, tmp_path)
    one_day(fake, tmp_path)
    assert len(fake.store.asked) == 1


def test_a_broken_download_is_continued(fake: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "_BLOCK", 1000)
    publish_one(fake)
    etag = f'"{hashlib.sha256(BODY).hexdigest()}"'
    whole = Reply(body=BODY, etag=etag)
    fake.store.on(f"/{DAY}", Reply(body=BODY, etag=etag, truncate=True), whole)
    (path,) = one_day(fake, tmp_path)
    assert path.read_bytes() == BODY
    again = fake.store.asked[1].headers
    assert again["if-range"] == etag
    assert 0 < int(again["range"].removeprefix("bytes=").removesuffix("-")) <= len(BODY) // 2
    assert len(files_in(tmp_path)) == 1


def test_the_next_call_continues_what_an_interrupted_one_left(fake: FakeApi, tmp_path: Path) -> None:
    publish_one(fake)
    part_of(tmp_path).write_bytes(BODY[:700])
    (path,) = one_day(fake, tmp_path)
    assert fake.store.asked[0].headers["range"] == "bytes=700-"
    assert path.read_bytes() == BODY


def test_a_part_that_is_whole_is_only_verified(fake: FakeApi, tmp_path: Path) -> None:
    publish_one(fake)
    part_of(tmp_path).write_bytes(BODY)
    (path,) = one_day(fake, tmp_path)
    assert fake.store.asked == []
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("part", [b"of another file", bytes(len(BODY)), BODY + b"x"])
def test_a_part_of_another_file_does_no_harm(fake: FakeApi, tmp_path: Path, part: bytes) -> None:
    publish_one(fake)
    part_of(tmp_path).write_bytes(part)
    (path,) = one_day(fake, tmp_path)
    assert path.read_bytes() == BODY


def test_a_server_without_ranges_sends_the_whole_file(fake: FakeApi, tmp_path: Path) -> None:
    publish_one(fake)
    fake.store.on(f"/{DAY}", Reply(body=BODY))
    part_of(tmp_path).write_bytes(BODY[:700])
    (path,) = one_day(fake, tmp_path)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Reply(503), "file_refused"),
        (Reply(drop=True), "download_failed"),
        (Reply(body=BODY, truncate=True), "download_failed"),
        (Reply(body=BODY[:-1]), "size_mismatch"),
        (Reply(body=BODY + b"x"), "size_mismatch"),
        (Reply(body=bytes(len(BODY))), "hash_mismatch"),
    ],
)
def test_nothing_half_or_wrong_gets_the_final_name(fake: FakeApi, tmp_path: Path, failure: Reply, code: str) -> None:
    publish_one(fake)
    fake.store.on(f"/{DAY}", failure)
    with pytest.raises(aperiodic.DownloadError, match=DAY) as caught:
        one_day(fake, tmp_path)
    assert caught.value.code == code
    assert fake.store.count(f"/{DAY}") == 5
    assert all(path.name == "data.parquet.part" for path in files_in(tmp_path))
    fake.store.on(f"/{DAY}", Reply(body=BODY))
    (path,) = one_day(fake, tmp_path)
    assert path.read_bytes() == BODY


def test_the_old_file_stays_until_the_new_one_is_verified(fake: FakeApi, tmp_path: Path) -> None:
    publish_one(fake)
    (path,) = one_day(fake, tmp_path)
    newer = parquet(trades(DAY, 77))
    publish_one(fake, newer)
    fake.store.on(f"/{DAY}", Reply(503))
    with pytest.raises(aperiodic.DownloadError):
        one_day(fake, tmp_path)
    assert path.read_bytes() == BODY
    fake.store.on(f"/{DAY}", Reply(body=newer))
    one_day(fake, tmp_path)
    assert path.read_bytes() == newer


async def test_a_cancelled_download_leaves_no_file(fake: FakeApi, tmp_path: Path) -> None:
    asked, released = threading.Event(), threading.Event()
    publish_one(fake)

    def endless() -> Reply:
        asked.set()
        return Reply(body=BODY, wait=released)

    fake.store.on(f"/{DAY}", endless)
    task = asyncio.create_task(
        aperiodic.download_raw_async(**fake.raw_request(output_dir=tmp_path, start_date=DAY, end_date=DAY))
    )
    await asyncio.to_thread(asked.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    released.set()
    assert not any(path.suffix == ".parquet" for path in files_in(tmp_path))


@pytest.mark.parametrize("refusal", [Reply(403), json_reply({"code": "object_missing"}, 404)])
def test_a_stale_link_is_renewed_once(fake: FakeApi, tmp_path: Path, refusal: Reply) -> None:
    bodies = fake.publish_raw(*DAYS)
    fake.store.on("/2025-01-03", refusal, Reply(body=bodies["2025-01-03"]))
    assert len(download(fake, tmp_path)) == 3
    assert len(fake.api.asked) == 2


def test_a_folder_that_cannot_be_written_is_an_error_that_names_the_file(fake: FakeApi, tmp_path: Path) -> None:
    publish_one(fake)
    (tmp_path / "trades").write_text("in the way")
    with pytest.raises(aperiodic.DownloadError, match=f"{DAY} could not be downloaded") as caught:
        one_day(fake, tmp_path)
    assert isinstance(caught.value.original_error, OSError)


def test_a_folder_has_to_be_named(fake: FakeApi) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.download_raw(**fake.raw_request())
    assert caught.value.code == "missing_output_dir"
    assert fake.api.asked == []


def test_missing_days_are_told(fake: FakeApi, tmp_path: Path) -> None:
    fake.publish_raw(*DAYS[:2], missing=DAYS[2:])
    with pytest.warns(aperiodic.IncompleteDataWarning, match="2025-01-03") as caught:
        assert len(download(fake, tmp_path)) == 2
    assert caught[0].filename == __file__
    with pytest.raises(aperiodic.IncompleteDataError):
        download(fake, tmp_path, on_incomplete="raise")


def test_the_progress_bar_counts_each_byte_once(
    fake: FakeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_one(fake)
    fake.store.on(f"/{DAY}", Reply(body=BODY, truncate=True), Reply(body=BODY))
    one_day(fake, tmp_path, show_progress=True)
    size = f"{len(BODY) / 1000:.1f}k"
    assert f"{size}/{size}" in capsys.readouterr().err
