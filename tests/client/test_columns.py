from __future__ import annotations

import io
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from tests.client.mock_api import FakeApi, Reply, json_reply, parquet

import aperiodic
from aperiodic.catalog import DATASETS
from aperiodic.client.parquet_parts import TAIL, Footer, footer_bytes
from aperiodic.client.thrift import ThriftError, read_struct, write_struct

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 200_000
GROUP = 20_000


def second_bars() -> pl.DataFrame:
    """Bars of seconds, whose values do not compress."""
    times = pl.datetime_range(date(2025, 1, 1), date(2025, 1, 31), "1s", time_unit="us", eager=True)[:ROWS]
    chance = np.random.default_rng(5)
    schema = DATASETS["flow"].schema
    values = {name: chance.random(ROWS) for name in schema if name != "time"}
    return pl.DataFrame({"time": times, **values}).cast(schema)


@pytest.fixture(scope="module")
def body() -> bytes:
    frame = second_bars()
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", row_group_size=GROUP, statistics=True)
    return buffer.getvalue()


def publish(fake: FakeApi, body: bytes, *, ranges: bool = True) -> None:
    entry = fake.store_file("2025-01", body)
    fake.store.on("/2025-01", Reply(body=body, ranges=ranges, etag=f'"{entry["sha256"]}"'))
    fake.reply(json_reply({"files": [entry]}), metric="flow")


def test_only_the_bytes_of_the_columns_are_moved(fake: FakeApi, body: bytes, tmp_path: Path) -> None:
    publish(fake, body)
    asked = fake.request(metric="flow", interval="1s", timestamp="true", cache=tmp_path)
    frame = aperiodic.get_metrics(**asked, columns=["flow_entropy", "volume_delta"])
    assert frame.equals(second_bars().select("time", "volume_delta", "flow_entropy"))
    assert fake.store.bytes_sent < 0.1 * len(body)
    sent = fake.store.bytes_sent
    assert aperiodic.get_metrics(**asked, columns=["flow_entropy", "volume_delta"]).equals(frame)
    assert fake.store.bytes_sent == sent


def test_only_the_rows_of_the_days_are_moved(fake: FakeApi, body: bytes) -> None:
    publish(fake, body)
    asked = fake.request(metric="flow", interval="1s", timestamp="true", start_date="2025-01-02", end_date="2025-01-02")
    frame = aperiodic.get_metrics(**asked)
    assert frame.equals(second_bars().filter(pl.col("time").dt.date() == date(2025, 1, 2)))
    assert fake.store.bytes_sent < 0.7 * len(body)


@pytest.mark.parametrize("columns", [["flow_entropy"], None])
def test_a_server_without_ranges_sends_the_whole_file(fake: FakeApi, body: bytes, columns: list[str] | None) -> None:
    publish(fake, body, ranges=False)
    asked = fake.request(metric="flow", interval="1s", timestamp="true", columns=columns, end_date="2025-01-02")
    assert aperiodic.get_metrics(**asked).height == 2 * 86_400


def footer_of(body: bytes) -> bytes:
    return body[-TAIL - footer_bytes(body[-TAIL:]) : -TAIL]


def test_a_footer_is_written_as_it_was_read(body: bytes) -> None:
    data = footer_of(body)
    assert write_struct(read_struct(data)) == data


def test_what_is_kept_is_a_file_that_others_can_read(body: bytes) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    footer = Footer.read(footer_of(body))
    kept = footer.keep(["time", "flow_entropy"], [1, 3], lambda part: body[part.begin : part.end])
    table = pl.from_arrow(pq.read_table(io.BytesIO(kept)))
    frame = second_bars().select("time", "flow_entropy")
    assert isinstance(table, pl.DataFrame)
    assert table.equals(pl.concat([frame[GROUP : 2 * GROUP], frame[3 * GROUP : 4 * GROUP]]))


@pytest.mark.parametrize("seed", range(300))
def test_a_damaged_footer_is_refused_in_words(body: bytes, seed: int) -> None:
    chance = np.random.default_rng(seed)
    data = bytearray(footer_of(body)[: int(chance.integers(0, 4000))])
    for place in chance.integers(0, max(len(data), 1), 3):
        if data:
            data[place] = chance.integers(0, 256)
    with suppress(ThriftError):
        Footer.read(bytes(data)).parts(["time"], [0])


def test_nested_columns_are_read_whole() -> None:
    body = parquet(pl.DataFrame({"time": [1], "nested": [{"a": 1}]}))
    with pytest.raises(ThriftError, match="nested"):
        Footer.read(footer_of(body))
