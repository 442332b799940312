from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.mock_api import FakeApi, Reply, bars, json_reply, parquet

import aperiodic
from aperiodic.client.cache import Cache

if TYPE_CHECKING:
    from pathlib import Path


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "files").rglob("*") if path.is_file())


def test_the_second_call_moves_no_data(fake: FakeApi, tmp_path: Path) -> None:
    fake.publish("2025-01")
    first = aperiodic.get_ohlcv(**fake.request(cache=tmp_path))
    asked = len(fake.store.asked)
    assert aperiodic.get_ohlcv(**fake.request(cache=tmp_path)).equals(first)
    assert len(fake.store.asked) == asked == 1
    assert [path.suffix for path in files_of(tmp_path)] == [".parquet"]
    narrow = aperiodic.get_ohlcv(**fake.request(cache=tmp_path, columns=["close"]))
    assert narrow.equals(first.select("time", "close"))
    assert len(fake.store.asked) == asked


def test_without_a_cache_nothing_is_kept(fake: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APERIODIC_CACHE")
    monkeypatch.setenv("APERIODIC_CACHE_DIR", str(tmp_path / "named"))
    fake.publish("2025-01")
    aperiodic.get_ohlcv(**fake.request(cache=False))
    assert not (tmp_path / "named").exists()
    aperiodic.get_ohlcv(**fake.request())
    assert len(files_of(tmp_path / "named")) == 1


def test_a_damaged_file_is_fetched_again(fake: FakeApi, tmp_path: Path) -> None:
    fake.publish("2025-01")
    first = aperiodic.get_ohlcv(**fake.request(cache=tmp_path)).to_dict(as_series=False)  # the frame itself is let go
    (path,) = files_of(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert aperiodic.get_ohlcv(**fake.request(cache=tmp_path)).to_dict(as_series=False) == first
    assert len(fake.store.asked) == 2


def test_a_file_that_was_cut_is_continued_from_the_byte(fake: FakeApi, tmp_path: Path) -> None:
    body = parquet(bars("2025-01"))
    entry = fake.store_file("2025-01", body)
    fake.store.on("/2025-01", Reply(body=body, etag=f'"{entry["sha256"]}"'))
    fake.reply(json_reply({"files": [entry]}))
    part = Cache(tmp_path).whole(entry["sha256"]).with_suffix(".parquet.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(body[:5000])
    assert aperiodic.get_ohlcv(**fake.request(cache=tmp_path)).height == 31 * 24
    assert fake.store.asked[0].headers["range"] == "bytes=5000-"
    assert fake.store.bytes_sent == len(body) - 5000


def test_a_cache_that_cannot_be_written_only_costs_time(fake: FakeApi, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    fake.publish("2025-01")
    assert aperiodic.get_ohlcv(**fake.request(cache=tmp_path / "file" / "below")).height == 31 * 24


def test_above_its_size_the_oldest_files_go(fake: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APERIODIC_CACHE_SIZE", "30kB")
    for month in ("2025-01", "2025-02", "2025-03", "2025-04"):
        fake.publish(month)
        asked = fake.request(cache=tmp_path, start_date=f"{month}-01", end_date=f"{month}-28")
        aperiodic.get_ohlcv(**asked)
    Cache(tmp_path, 30_000).trim()
    left = files_of(tmp_path)
    assert 0 < sum(path.stat().st_size for path in left) <= 30_000
    asked_before = len(fake.store.asked)
    aperiodic.get_ohlcv(**asked)  # the newest one is still there
    assert len(fake.store.asked) == asked_before


@pytest.mark.parametrize(("size", "code"), [("many", "bad_cache_size"), ("-1", "bad_cache_size")])
def test_a_size_that_cannot_be_read_is_told(
    fake: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str, code: str
) -> None:
    monkeypatch.setenv("APERIODIC_CACHE_SIZE", size)
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.get_ohlcv(**fake.request(cache=tmp_path))
    assert caught.value.code == code


def test_offline_answers_from_the_cache_or_says_that_it_cannot(fake: FakeApi, tmp_path: Path) -> None:
    fake.publish("2025-01")
    options = {name: value for name, value in fake.request().items() if name not in {"api_key", "base_url"}}
    with aperiodic.Client("key", base_url=fake.base_url, cache=tmp_path) as client:
        online = client.get_metrics("ohlcv", **options)
    sent = len(fake.api.asked), len(fake.store.asked)
    with aperiodic.Client("key", base_url=fake.base_url, cache=tmp_path, offline=True) as client:
        assert client.get_metrics("ohlcv", **options).equals(online)
        with pytest.raises(aperiodic.AperiodicDataError) as caught:
            client.get_metrics("ohlcv", **(options | {"end_date": "2025-02-01"}))
        assert caught.value.code == "offline"
    assert (len(fake.api.asked), len(fake.store.asked)) == sent
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.Client("key", base_url=fake.base_url, cache=False, offline=True)
    assert caught.value.code == "offline_without_cache"


_FETCH = """
import sys, aperiodic
frame = aperiodic.get_ohlcv("key", interval="1h", exchange="binance-futures", symbol="perpetual-BTC-USDT:USDT",
    start_date="2025-01-01", end_date="2025-01-31", base_url=sys.argv[1], cache=sys.argv[2], show_progress=False)
print(frame.height)
"""


def test_processes_share_it(fake: FakeApi, tmp_path: Path) -> None:
    fake.publish("2025-01")
    words: list[Any] = [sys.executable, "-c", _FETCH, fake.base_url, str(tmp_path)]
    processes = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[0].strip() for process in processes] == [str(31 * 24)] * 3
    assert len(fake.store.asked) == 1
    assert [path.suffix for path in files_of(tmp_path)] == [".parquet"]
