from __future__ import annotations

from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING

import pytest

from aperiodic.accounts.keys import create_key, find_key, list_keys, mark_used, public_id_of, rotate_key, verify_key
from aperiodic.accounts.usage import Issued, UsageDay, UsageKey, UsageSum, account_usage, add_usage, read_usage
from aperiodic.lake import Lake, Settings
from aperiodic.lake.ledger import begin_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

PEPPER = b"p" * 32
MAY = date(2025, 5, 1)
LAST = date(2025, 5, 31)


@pytest.fixture(params=["sqlite", "postgresql"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    ledger = request.getfixturevalue("postgres").new_database() if request.param == "postgresql" else None
    settings = Settings(home=tmp_path, ledger=ledger)
    with closing(Lake.open(settings)) as lake, lake.engine.connect() as opened:
        yield opened


def test_counts_add_up_by_day_key_and_endpoint(connection: Connection) -> None:
    acme = public_id_of(create_key(connection, PEPPER, "pro", "", account="acme"))
    other = public_id_of(create_key(connection, PEPPER, "pro", "", account="other"))
    add_usage(connection, {})
    for _ in range(2):
        add_usage(
            connection,
            {
                UsageKey("2025-05-02", acme, "data", "ohlcv"): Issued(1, 12, 3_000_000_000),
                UsageKey("2025-05-02", acme, "data", "flow"): Issued(2, 1, 5),
                UsageKey("2025-05-01", acme, "raw", "trades"): Issued(1, 1, 1),
                UsageKey("2025-05-02", other, "data", "ohlcv"): Issued(7, 0, 0),
                UsageKey("2025-05-02", "", "preview", "ohlcv"): Issued(3, 1, 9),
                UsageKey("2025-06-01", acme, "data", "ohlcv"): Issued(100, 0, 0),
            },
        )
    assert read_usage(connection, MAY, LAST) == [
        UsageSum("2025-05-01", "acme", acme, "raw", 2, 2, 2),
        UsageSum("2025-05-02", "", "", "preview", 6, 2, 18),
        UsageSum("2025-05-02", "acme", acme, "data", 6, 26, 6_000_000_010),
        UsageSum("2025-05-02", "other", other, "data", 14, 0, 0),
    ]
    assert [row.requests for row in read_usage(connection, MAY, LAST, "other")] == [14]
    assert all(type(row.bytes) is int for row in read_usage(connection, MAY, LAST))
    assert read_usage(connection, date(2024, 1, 1), date(2024, 12, 31)) == []


def test_the_usage_of_an_account_is_that_of_all_its_keys(connection: Connection) -> None:
    old = public_id_of(create_key(connection, PEPPER, "pro", "", account="acme"))
    new = public_id_of(rotate_key(connection, PEPPER, old, 24).key)
    stranger = public_id_of(create_key(connection, PEPPER, "pro", "", account="other"))
    add_usage(
        connection,
        {
            UsageKey("2025-05-01", old, "data", "ohlcv"): Issued(1, 2, 3),
            UsageKey("2025-05-01", new, "metadata", ""): Issued(1, 0, 0),
            UsageKey("2025-05-02", new, "data", "ohlcv"): Issued(1, 1, 1),
            UsageKey("2025-05-02", stranger, "data", "ohlcv"): Issued(9, 9, 9),
            UsageKey("2025-05-09", new, "data", "ohlcv"): Issued(9, 9, 9),
        },
    )
    days = [date(2025, 5, 2), date(2025, 5, 1)]
    assert account_usage(connection, "acme", days) == [UsageDay("2025-05-01", 2, 2, 3), UsageDay("2025-05-02", 1, 1, 1)]
    assert account_usage(connection, "nobody", days) == []


def test_keys_work_on_every_ledger(connection: Connection) -> None:
    key = create_key(connection, PEPPER, "prime-raw", "", account="acme", scopes=["raw"])
    made = rotate_key(connection, PEPPER, public_id_of(key), 1)
    mark_used(connection, {public_id_of(made.key): 77, public_id_of(key): 5})
    found = verify_key(connection, PEPPER, made.key)
    assert found is not None
    assert (found.plan.name, found.plan.raw, found.scopes, found.last_used_at) == ("prime-raw", True, ("raw",), 77)
    assert found == find_key(connection, found.public_id) == list_keys(connection)[-1]


def test_writers_at_the_same_time_add_up(tmp_path: Path) -> None:
    key = UsageKey("2025-05-01", "", "preview", "ohlcv")
    settings = Settings(home=tmp_path)
    with closing(Lake.open(settings)) as one, closing(Lake.open(settings)) as other:
        for lake in (one, other, one):
            with begin_write(lake.engine) as writing:
                add_usage(writing, {key: Issued(1, 1, 1)})
        with other.engine.connect() as reading:
            assert read_usage(reading, MAY, LAST)[0].requests == 3
