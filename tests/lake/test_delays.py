from __future__ import annotations

from datetime import date

from sqlalchemy import update
from tests.lakes import BTC, VENUE

from aperiodic.lake import Lake, NewObject, ObjectKey
from aperiodic.lake.delays import JOINED, quantile_s, read_delays
from aperiodic.lake.schema import objects
from aperiodic.market import Clock, Interval, Source, Stream

DAY = date(2026, 11, 28)
MINUTE = 60_000_000
NOON = 1_795_867_200_000_000
NOW = NOON + 10 * MINUTE


def put(lake: Lake, key: ObjectKey, made: int, *, reason: str = "test", local: int | None = None, bar: int = 0) -> None:
    """Write an object as if at `made`, µs."""
    batch = lake.batch()
    times = {"first_local": local, "last_local": local} if bar == 0 else {"first_exchange": bar, "last_exchange": bar}
    batch.put(NewObject(key, 1, Source.RECORDING, f"{made}{reason}", reason, **times), f"{made}{reason}".encode())
    batch.commit()
    with lake.engine.begin() as connection:
        newest = connection.execute(objects.select().order_by(objects.c.id.desc()).limit(1)).mappings().one()
        connection.execute(update(objects).where(objects.c.id == newest["id"]).values(created_at=made))


def test_ticks_are_late_by_their_oldest_and_joined_parts_do_not_count(lake: Lake) -> None:
    for number, (made, local, reason) in enumerate(
        [
            (NOON + 2_000_000, NOON, "new"),
            (NOON + 4_500_000, NOON + 4_000_000, "new"),
            (NOON + 9_000_000, NOON, JOINED),
            (NOON - 20 * MINUTE, NOON - 21 * MINUTE, "new"),
        ]
    ):
        key = ObjectKey.tick_part(Stream.TRADES, VENUE, BTC, DAY, number + 1)
        put(lake, key, made, reason=reason, local=local)
    with lake.engine.connect() as connection:
        found = read_delays(connection, NOW)
    assert sorted(found.ticks) == [0.5, 2.0]
    assert found.bars == []


def test_a_bar_is_late_from_the_end_of_its_minute_until_the_first_file_that_holds_it(lake: Lake) -> None:
    key = ObjectKey.open_bars("ohlcv", Clock.TRUE, Interval.M1, VENUE, BTC, DAY)
    for made, bar in (
        (NOON + 30_000_000, NOON - 5 * MINUTE),  # the first file tells of the past
        (NOON + MINUTE + 3_000_000, NOON),
        (NOON + MINUTE + 30_000_000, NOON),  # late ticks were taken in
        (NOON + 2 * MINUTE + 7_000_000, NOON + MINUTE),
    ):
        put(lake, key, made, bar=bar)
    put(lake, ObjectKey.open_bars("ohlcv", Clock.TRUE, Interval.M5, VENUE, BTC, DAY), NOON, bar=NOON)
    with lake.engine.connect() as connection:
        found = read_delays(connection, NOW)
    assert found.bars == [3.0, 7.0]


def test_quantiles_of_few() -> None:
    assert quantile_s([], 0.5) is None
    assert [quantile_s([3.0, 1.0, 2.0], share) for share in (0.5, 0.99)] == [2.0, 3.0]
