"""What happens when an archive is slow, lies, changes, or has not what was there before."""

from __future__ import annotations

import io
import zipfile
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.engine.backfill.archive_server import Archive, Fault, zipped
from tests.engine.backfill.test_days import DAY, HEADER, UM, condition, ms, put_trades, trade

from aperiodic.engine.ticks import put_ticks
from aperiodic.lake import ObjectKey
from aperiodic.market import DAY_US, Source, Stream, tick_schema
from aperiodic.market.time import day_start_us
from aperiodic.venues import venue_of

if TYPE_CHECKING:
    from tests.engine.backfill.conftest import Backfiller

HALF = 1_000


def many(count: int = 3_000) -> str:
    return "".join(trade(number, ms(DAY, number), price=f"{number * 7919 % 10007}.5") for number in range(1, count))


def run(backfiller: Backfiller, **options: Any) -> tuple[str, str | None]:
    (report,) = backfiller.run(UM, "BTCUSDT", DAY, DAY, Stream.TRADES, **options)
    return report.outcome, None if report.error is None else report.error.code


def test_a_file_that_is_not_there_before_noon_may_still_come(archive: Archive, backfiller: Backfiller) -> None:
    backfiller.now = day_start_us(DAY) + DAY_US + 11 * 3_600 * 1_000_000
    assert run(backfiller) == ("not_yet", None)
    backfiller.now += 2 * 3_600 * 1_000_000
    assert run(backfiller) == ("absent", None)
    assert condition(backfiller, UM, "BTCUSDT", Stream.TRADES, DAY) == ("missing", ["no_ticks:not_in_archive"])
    assert run(backfiller) == ("absent", None)
    put_trades(archive, DAY, many())
    assert run(backfiller) == ("imported", None)


def test_a_download_that_breaks_off_is_gone_on_with(archive: Archive, backfiller: Backfiller) -> None:
    path = put_trades(archive, DAY, many())
    archive.fail(path, Fault(cut=HALF), Fault(cut=HALF), Fault(cut=HALF))
    assert run(backfiller) == ("imported", None)
    ranges = [headers["range"] for headers in archive.headers if "range" in headers]
    assert ranges == [f"bytes={HALF * times}-" for times in (1, 2, 3)]


def test_the_next_run_goes_on_where_one_broke_off(archive: Archive, backfiller: Backfiller) -> None:
    path = put_trades(archive, DAY, many())
    archive.fail(path, *[Fault(cut=HALF)] * 5)
    assert run(backfiller) == ("refused", "connection_lost")
    assert run(backfiller) == ("imported", None)
    assert archive.headers[-1]["range"] == f"bytes={HALF * 5}-"


def test_a_file_that_was_replaced_meanwhile_is_fetched_from_the_beginning(
    archive: Archive, backfiller: Backfiller
) -> None:
    path = put_trades(archive, DAY, many(2_000))
    archive.fail(path, *[Fault(cut=HALF)] * 9)
    assert run(backfiller) == ("refused", "connection_lost")
    archive.fail(path)
    put_trades(archive, DAY, many(3_000))
    assert run(backfiller) == ("imported", None)
    ticks = backfiller.ticks(UM, "BTCUSDT", Stream.TRADES, DAY)
    assert ticks is not None
    assert ticks.height == 2_999


def test_content_that_is_not_what_the_checksum_says_is_refused(archive: Archive, backfiller: Backfiller) -> None:
    path = put_trades(archive, DAY, many())
    archive.files[path] = zipped("x.csv", HEADER + trade(1, ms(DAY)))
    assert run(backfiller) == ("refused", "checksum_mismatch")
    assert archive.count(".zip") == 2
    assert backfiller.ticks(UM, "BTCUSDT", Stream.TRADES, DAY) is None


@pytest.mark.parametrize("told", [b"<html>busy</html>", b"", b"0" * 64 + b"  another.zip\n"])
def test_a_checksum_that_is_none_is_refused(archive: Archive, backfiller: Backfiller, told: bytes) -> None:
    path = put_trades(archive, DAY, many())
    archive.files[f"{path}.CHECKSUM"] = told
    assert run(backfiller) == ("refused", "bad_checksum")


def test_a_file_without_a_checksum_is_imported_and_says_so(archive: Archive, backfiller: Backfiller) -> None:
    path = put_trades(archive, DAY, many())
    del archive.files[f"{path}.CHECKSUM"]
    assert run(backfiller) == ("imported", None)


def test_an_archive_that_asks_for_time_gets_it(archive: Archive, backfiller: Backfiller) -> None:
    path = put_trades(archive, DAY, many())
    archive.fail(path, Fault(429, {"Retry-After": "77"}), Fault(503), Fault(403))
    assert run(backfiller) == ("imported", None)
    assert 77 <= sum(backfiller.waited) <= 77 + 2 + 4 + 1


def test_an_archive_that_asks_for_an_hour_is_left_alone(archive: Archive, backfiller: Backfiller) -> None:
    path = put_trades(archive, DAY, many())
    archive.fail(path, Fault(429, {"Retry-After": "3600"}))
    assert run(backfiller) == ("refused", "archive_blocked")
    assert archive.count(".zip") == 1


def test_an_archive_that_never_answers_is_not_asked_for_ever(archive: Archive, backfiller: Backfiller) -> None:
    days = [DAY + timedelta(days=number) for number in range(5)]
    for day in days:
        path = put_trades(archive, day, trade(1, ms(day)))
        archive.fail(path, *[Fault(403)] * 100)
    reports = backfiller.run(UM, "BTCUSDT", days[0], days[-1], Stream.TRADES, threads=1)
    assert {report.error.code for report in reports if report.error is not None} == {"archive_blocked"}
    assert archive.count(".zip") == 8


def test_a_refusal_for_good_is_told_at_once(archive: Archive, backfiller: Backfiller) -> None:
    path = put_trades(archive, DAY, many())
    archive.fail(path, Fault(451))
    assert run(backfiller) == ("refused", "archive_refused")


def test_a_file_that_the_archive_replaced_is_told_and_not_taken(archive: Archive, backfiller: Backfiller) -> None:
    put_trades(archive, DAY, many(10))
    assert run(backfiller) == ("imported", None)
    before = backfiller.ticks(UM, "BTCUSDT", Stream.TRADES, DAY)
    assert run(backfiller) == ("held", None)
    assert archive.count(".zip") == 1
    put_trades(archive, DAY, many(20))
    assert run(backfiller) == ("changed", None)
    after = backfiller.ticks(UM, "BTCUSDT", Stream.TRADES, DAY)
    assert before is not None
    assert after is not None
    assert_frame_equal(before, after)
    assert run(backfiller, check=False) == ("held", None)
    assert run(backfiller, again=True) == ("imported", None)
    after = backfiller.ticks(UM, "BTCUSDT", Stream.TRADES, DAY)
    assert after is not None
    assert after.height == 19
    assert run(backfiller) == ("held", None)


def test_an_archive_without_checksums_tells_a_change_by_size_or_mark(archive: Archive, backfiller: Backfiller) -> None:
    path = put_trades(archive, DAY, many(10))
    del archive.files[f"{path}.CHECKSUM"]
    assert run(backfiller) == ("imported", None)
    assert run(backfiller) == ("held", None)
    archive.files[path] = zipped("x.csv", HEADER + many(11))
    assert run(backfiller) == ("changed", None)


def test_a_file_that_vanished_from_the_archive_stays_imported(archive: Archive, backfiller: Backfiller) -> None:
    put_trades(archive, DAY, many(10))
    run(backfiller)
    archive.files.clear()
    assert run(backfiller) == ("held", None)


@pytest.mark.parametrize("source", [Source.RECORDING, Source.SIMULATED])
def test_days_of_another_source_are_not_mixed_with(archive: Archive, backfiller: Backfiller, source: Source) -> None:
    put_trades(archive, DAY, many(10))
    symbol = venue_of(UM).symbol("BTCUSDT")
    batch = backfiller.lake.batch()
    moment = pl.lit(day_start_us(DAY)).cast(pl.Datetime("us", "UTC"))
    schema = tick_schema(Stream.TRADES)
    tick = pl.DataFrame({"id": ["1"]}).select(
        exchange_timestamp=moment,
        local_timestamp=moment,
        id="id",
        side=pl.lit("buy"),
        price=1.0,
        amount=1.0,
        sequence=1,
    )
    key = ObjectKey.ticks(Stream.TRADES, UM, symbol, DAY)
    put_ticks(backfiller.lake, batch, key, tick.cast(schema), source, "test")
    batch.commit()
    assert run(backfiller) == ("refused", "source_conflict")
    assert archive.count(".zip") == 0


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "truncated_file"),
        (b"<html>busy</html>", "unsupported_format"),
        (zipped("x.csv", HEADER)[:-10], "truncated_file"),
        (packed({"a.csv": b"1", "b.csv": b"2"}), "unexpected_members"),
        (packed({f"{number}/": b"" for number in range(20)}), "unexpected_members"),
    ],
)
def test_packages_that_are_none_are_refused(
    archive: Archive, backfiller: Backfiller, content: bytes, code: str
) -> None:
    path = put_trades(archive, DAY, "")
    archive.put(path, content, checksum=True)
    assert run(backfiller) == ("refused", code)
    assert backfiller.ticks(UM, "BTCUSDT", Stream.TRADES, DAY) is None


def test_one_bad_day_does_not_keep_the_others_from_being_imported(archive: Archive, backfiller: Backfiller) -> None:
    days = [DAY + timedelta(days=number) for number in range(4)]
    for day in days:
        put_trades(archive, day, trade(day.day, ms(day)))
    archive.put(f"futures/um/daily/trades/BTCUSDT/BTCUSDT-trades-{days[1]}.zip", b"nonsense", checksum=True)
    reports = backfiller.run(UM, "BTCUSDT", days[0], days[-1], Stream.TRADES)
    assert [(report.day, report.outcome) for report in reports] == list(
        zip(days, ["imported", "refused", "imported", "imported"], strict=True)
    )


def test_the_same_day_again_gives_the_same_object(archive: Archive, backfiller: Backfiller) -> None:
    put_trades(archive, DAY, many(100))
    key = ObjectKey.ticks(Stream.TRADES, UM, venue_of(UM).symbol("BTCUSDT"), DAY)
    run(backfiller)
    first = backfiller.lake.find(key)
    run(backfiller, again=True)
    assert backfiller.lake.find(key) == first


def test_files_may_be_kept(archive: Archive, backfiller: Backfiller) -> None:
    path = put_trades(archive, DAY, many(100))
    run(backfiller, keep=True)
    kept = backfiller.lake.home / "archives" / "binance_vision" / path
    assert kept.read_bytes() == archive.files[path]
    run(backfiller, again=True, keep=True)
    assert archive.count(".zip") == 1


def test_a_day_that_was_lost_is_imported_once_more(archive: Archive, backfiller: Backfiller) -> None:
    put_trades(archive, DAY, many(10))
    run(backfiller)
    batch = backfiller.lake.batch()
    batch.retire(ObjectKey.ticks(Stream.TRADES, UM, venue_of(UM).symbol("BTCUSDT"), DAY))
    batch.commit()
    assert run(backfiller) == ("imported", None)


def test_days_before_the_archive_began_are_not_asked_for(archive: Archive, backfiller: Backfiller) -> None:
    reports = backfiller.run(UM, "BTCUSDT", date(2019, 9, 7), date(2019, 9, 8), Stream.TRADES)
    assert [(report.day, report.outcome) for report in reports] == [(date(2019, 9, 8), "absent")]
    assert len(archive.asked) == 2
