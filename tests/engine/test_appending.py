"""What a commit asks of a day does not grow with the parts that the day has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event
from tests.engine.open_days.test_open_days import append, rows
from tests.lakes import BTC, VENUE

from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.ticks import require_source
from aperiodic.lake import ObjectKey, ObjectKind
from aperiodic.lake.objects import last_part, part_counts, was_appended
from aperiodic.market import Source, Stream

if TYPE_CHECKING:
    from aperiodic.lake import Lake


def test_parts_are_numbered_and_known_by_index(lake: Lake) -> None:
    for second in range(0, 60, 5):
        append(lake, rows(second, second + 5))
    asked: list[tuple[str, tuple[object, ...]]] = []
    event.listen(lake.engine, "before_cursor_execute", lambda *arguments: asked.append((arguments[2], arguments[3])))
    records = lake.current(ObjectKind.TICK_PARTS, dataset=Stream.TRADES)
    key: ObjectKey = records[-1].key
    del asked[:]
    with lake.engine.connect() as connection:
        assert last_part(connection, key) == len(records) == 12
        assert was_appended(connection, key, records[3].sha256)
        assert not was_appended(connection, key, "0" * 64)
        counts = part_counts(connection)
        assert counts[VENUE, str(BTC), "trades", key.period[:10]] == 12
        assert sum(counts.values()) == len(lake.current(ObjectKind.TICK_PARTS))
        plans = [
            " ".join(found[3] for found in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))
            for statement, parameters in [each for each in asked if each[0].startswith("SELECT")][:2]
        ]
    assert "ix_objects_history (symbol=? AND period>? AND period<?)" in plans[0]
    assert "ix_objects_parts (sha256=?)" in plans[1]
    assert not any("TEMP B-TREE" in plan for plan in plans)


def test_a_part_is_appended_once_though_others_came_after_it_and_it_was_compacted(lake: Lake) -> None:
    for second in (0, 5, 10):
        append(lake, rows(second, second + 5))
    before = len(lake.current(ObjectKind.TICK_PARTS))
    append(lake, rows(5, 10))
    assert len(lake.current(ObjectKind.TICK_PARTS)) == before


def test_one_row_tells_whether_ticks_are_simulated(lake: Lake) -> None:
    append(lake, rows(0, 5))
    require_source(lake, Stream.TRADES, VENUE, BTC, Source.ARCHIVE)
    require_source(lake, Stream.FUNDING_RATE, VENUE, BTC, Source.RECORDING)
    with pytest.raises(ImportSourceError) as caught:
        require_source(lake, Stream.TRADES, VENUE, BTC, Source.SIMULATED)
    assert caught.value.code == "source_conflict"
