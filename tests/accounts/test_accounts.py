from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from aperiodic.accounts.accounts import Origin, account_for, create_account, find_account, set_plan
from aperiodic.accounts.keys import create_key, list_keys, public_id_of
from aperiodic.lake import Lake, Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

PEPPER = b"p" * 32


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with closing(Lake.open(Settings(home=tmp_path))) as lake, begin_write(lake.engine) as opened:
        yield opened


def test_an_account_is_made_once_and_keeps_its_plan(connection: Connection) -> None:
    made = account_for(connection, "acme", "pro")
    assert (made.plan, made.origin) == ("pro", Origin.OPERATOR)
    assert account_for(connection, "acme", None) == made
    assert account_for(connection, "acme", "pro") == made
    with pytest.raises(InvalidInputError, match="has the plan pro, not prime") as caught:
        account_for(connection, "acme", "prime")
    assert caught.value.code == "plan_differs"
    assert "set-plan 'acme' prime" in (caught.value.hint or "")
    assert find_account(connection, "acme") == made


@pytest.mark.parametrize(
    ("name", "plan", "code"),
    [
        ("acme", None, "missing_plan"),
        ("acme", "primr", "unknown_plan"),
        ("", "pro", "bad_account"),
        ("x" * 101, "pro", "bad_account"),
        ("a\nb", "pro", "bad_account"),
    ],
)
def test_an_account_that_cannot_be_made_is_refused(
    connection: Connection, name: str, plan: str | None, code: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        account_for(connection, name, plan)
    assert caught.value.code == code
    assert find_account(connection, name) is None


def test_a_name_is_taken_once(connection: Connection) -> None:
    create_account(connection, "acme", "pro")
    with pytest.raises(InvalidInputError) as caught:
        create_account(connection, "acme", "pro")
    assert caught.value.code == "account_exists"


def test_all_keys_of_an_account_rise_with_its_plan(connection: Connection) -> None:
    first = create_key(connection, PEPPER, "starter", "", account="acme")
    create_key(connection, PEPPER, None, "", account="acme")
    create_key(connection, PEPPER, "starter", "", account="other")
    before = set_plan(connection, public_id_of(first), "pro")
    assert (before.name, before.plan) == ("acme", "starter")
    assert [(key.account, key.plan.name) for key in list_keys(connection)] == [
        ("acme", "pro"),
        ("acme", "pro"),
        ("other", "starter"),
    ]
    set_plan(connection, "other", "prime")
    assert [key.plan.name for key in list_keys(connection)] == ["pro", "pro", "prime"]


@pytest.mark.parametrize(
    ("holder", "plan", "code"), [("nobody", "pro", "unknown_account"), ("acme", "primr", "unknown_plan")]
)
def test_setting_a_plan_names_what_is_not_known(connection: Connection, holder: str, plan: str, code: str) -> None:
    create_account(connection, "acme", "free")
    with pytest.raises(InvalidInputError) as caught:
        set_plan(connection, holder, plan)
    assert caught.value.code == code
    held = find_account(connection, "acme")
    assert held is not None
    assert held.plan == "free"
