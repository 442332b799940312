from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import SQLAlchemyError

from aperiodic.lake import Lake, Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.prepared import Prepared
from aperiodic.lake.schema import gaps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOUND = Prepared(
    select(gaps.c.symbol, gaps.c.first_time)
    .where(
        gaps.c.symbol.in_(bindparam("symbols", expanding=True)),
        gaps.c.first_time >= bindparam("least"),
        gaps.c.last_time >= bindparam("least"),
        gaps.c.cause.contains("%"),
    )
    .order_by(gaps.c.symbol)
    .limit(3)
)


@pytest.fixture(params=["sqlite", "postgresql"])
def lake(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lake]:
    ledger = request.getfixturevalue("postgres").new_database() if request.param == "postgresql" else None
    with closing(Lake.open(Settings(home=tmp_path, ledger=ledger))) as opened:
        add(opened, "abcde")
        yield opened


def add(lake: Lake, symbols: str) -> None:
    numbered = {"exchange": "okx-perps", "stream": "trades", "after_sequence": 0, "before_sequence": 1}
    with begin_write(lake.engine) as connection:
        for symbol in symbols:
            times = {"first_time": ord(symbol), "last_time": ord(symbol)}
            connection.execute(insert(gaps).values(**numbered, **times, symbol=symbol, cause="100% lost"))


def test_it_finds_what_is_asked_for_however_many_values_there_are(lake: Lake) -> None:
    with lake.engine.connect() as connection:
        for symbols, least, expected in (
            (["b"], 0, "b"),
            (["b", "d"], 0, "bd"),
            (["d", "b", "x"], ord("c"), "d"),
            (list("abcdef"), 0, "abc"),
            ([], 0, ""),
            (["b"], 0, "b"),
            (["it's"], 0, ""),
        ):
            rows = FOUND.rows(connection, {"symbols": symbols, "least": least})
            assert rows == [(symbol, ord(symbol)) for symbol in expected]


def test_all_queries_of_a_sqlite_connection_see_one_moment(tmp_path: Path) -> None:
    asked = {"symbols": ["a", "b"], "least": 0}
    with closing(Lake.open(Settings(home=tmp_path))) as lake:
        add(lake, "a")
        with lake.engine.connect() as connection:
            before = FOUND.rows(connection, asked)
            add(lake, "b")
            assert FOUND.rows(connection, asked) == before == [("a", ord("a"))]
        with lake.engine.connect() as connection:
            assert len(FOUND.rows(connection, asked)) == 2


def test_what_the_database_cannot_answer_is_an_error_of_the_ledger(lake: Lake) -> None:
    with begin_write(lake.engine) as connection:
        connection.exec_driver_sql("DROP TABLE gaps")
    with lake.engine.connect() as connection, pytest.raises(SQLAlchemyError, match="gaps"):
        FOUND.rows(connection, {"symbols": ["a"], "least": 0})
    with lake.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
