from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from aperiodic.accounts.accounts import create_account, set_plan
from aperiodic.accounts.plans import Plan, change_plan, create_plan, delete_plan, find_plan, list_plans
from aperiodic.lake import Lake, Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

DESK = Plan("desk", 9, 2, sub_minute=True, raw=False, live=1, requests_per_minute=100)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with closing(Lake.open(Settings(home=tmp_path))) as lake, begin_write(lake.engine) as opened:
        yield opened


def test_plans_grow_and_an_unknown_one_names_the_nearest(connection: Connection) -> None:
    plans = list_plans(connection)
    assert [plan.name for plan in plans] == ["free", "starter", "pro", "prime", "prime-raw"]
    assert [plan.tier for plan in plans] == [0, 1, 2, 3, 3]
    assert [plan.name for plan in plans if plan.sub_minute] == ["prime", "prime-raw"]
    assert [plan.name for plan in plans if plan.raw] == ["prime-raw"]
    with pytest.raises(InvalidInputError) as caught:
        find_plan(connection, "primeraw")
    assert caught.value.code == "unknown_plan"
    assert "'prime-raw'" in (caught.value.hint or "")


def test_a_plan_is_made_changed_and_deleted(connection: Connection) -> None:
    create_plan(connection, DESK)
    assert find_plan(connection, "desk") == list_plans(connection)[-1] == DESK
    changed = replace(DESK, tier=3, raw=True, requests_per_minute=7, position=1)
    change_plan(connection, changed)
    assert find_plan(connection, "desk") == changed
    delete_plan(connection, "desk")
    assert DESK.name not in {plan.name for plan in list_plans(connection)}


@pytest.mark.parametrize(
    "changes",
    [
        {"tier": -1},
        {"tier": 4},
        {"requests_per_minute": 0},
        {"requests_per_minute": 1_000_001},
        {"live": -1},
        {"position": 1001},
        {"name": ""},
        {"name": "Desk"},
        {"name": "desk\n"},
        {"name": "x" * 33},
    ],
)
def test_a_plan_out_of_bounds_is_neither_made_nor_changed(connection: Connection, changes: dict[str, Any]) -> None:
    wrong = replace(DESK, **changes)
    before = list_plans(connection)
    for action in (create_plan, change_plan):
        with pytest.raises(InvalidInputError) as caught:
            action(connection, wrong)
        assert caught.value.code == "bad_plan"
    assert list_plans(connection) == before


def test_a_plan_in_use_stays_until_its_accounts_have_another(connection: Connection) -> None:
    create_plan(connection, DESK)
    create_account(connection, "acme", "desk")
    with pytest.raises(InvalidInputError, match="'acme'") as caught:
        delete_plan(connection, "desk")
    assert caught.value.code == "plan_in_use"
    set_plan(connection, "acme", "pro")
    delete_plan(connection, "desk")


def test_the_plan_of_sign_up_stays(connection: Connection) -> None:
    with pytest.raises(InvalidInputError) as caught:
        delete_plan(connection, "free")
    assert caught.value.code == "plan_in_use"


def test_names_that_are_taken_or_unknown_are_refused(connection: Connection) -> None:
    with pytest.raises(InvalidInputError) as taken:
        create_plan(connection, replace(DESK, name="pro"))
    assert taken.value.code == "plan_exists"
    with pytest.raises(InvalidInputError) as unknown:
        change_plan(connection, DESK)
    assert unknown.value.code == "unknown_plan"
    with pytest.raises(InvalidInputError) as unknown:
        delete_plan(connection, "desk")
    assert unknown.value.code == "unknown_plan"
