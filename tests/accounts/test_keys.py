from __future__ import annotations

import hmac
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select
from tests.statements import trace_connection

from aperiodic.accounts.keys import (
    create_key,
    find_key,
    list_keys,
    mark_used,
    public_id_of,
    revoke_key,
    rotate_key,
    sign_up,
    verify_key,
)
from aperiodic.lake import Lake, Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.schema import api_keys
from aperiodic.market import InvalidInputError
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

PEPPER = b"p" * 32
HOUR = 3_600_000_000


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with closing(Lake.open(Settings(home=tmp_path))) as lake, begin_write(lake.engine) as opened:
        yield opened


def test_a_key_verifies_and_reads_as_documented(connection: Connection) -> None:
    key = create_key(connection, PEPPER, "pro", "notebook")
    assert re.fullmatch(r"ap_live_[0-9a-f]{12}_[0-9A-Za-z]{40}", key)
    found = verify_key(connection, PEPPER, key)
    assert found is not None
    assert (found.public_id, found.plan.name, found.label) == (key.split("_")[2], "pro", "notebook")
    assert (found.expires_at, found.revoked_at) == (None, None)


def test_anything_but_the_whole_key_is_unknown(connection: Connection) -> None:
    key = create_key(connection, PEPPER, "pro", "")
    other = create_key(connection, PEPPER, "prime", "")
    swapped = "_".join([*key.split("_")[:3], other.split("_")[3]])
    for wrong in ("", key[:-1], key + "a", key + "\n", f" {key}", key.upper(), swapped, key.replace("live", "test")):
        assert verify_key(connection, PEPPER, wrong) is None
    assert verify_key(connection, b"another" * 5, key) is None


def test_a_hash_moved_to_another_row_lets_nobody_in(connection: Connection) -> None:
    weak = create_key(connection, PEPPER, "free", "")
    strong = create_key(connection, PEPPER, "prime", "")
    stolen = connection.execute(
        select(api_keys.c.secret_hash).where(api_keys.c.public_id == weak.split("_")[2])
    ).scalar_one()
    connection.execute(api_keys.update().where(api_keys.c.public_id == strong.split("_")[2]).values(secret_hash=stolen))
    forged = "_".join([*strong.split("_")[:3], weak.split("_")[3]])
    assert verify_key(connection, PEPPER, forged) is None


def test_the_ledger_holds_no_secret(tmp_path: Path) -> None:
    with closing(Lake.open(Settings(home=tmp_path))) as lake:
        with begin_write(lake.engine) as connection:
            key = create_key(connection, PEPPER, "pro", "findable label")
        files = b"".join(file.read_bytes() for file in tmp_path.glob("ledger.sqlite*"))
    assert b"findable label" in files
    assert key.split("_")[2].encode() in files
    assert key.split("_")[3].encode() not in files


def test_a_revoked_key_is_known_as_such_and_stays_revoked(connection: Connection) -> None:
    key = create_key(connection, PEPPER, "pro", "")
    first = revoke_key(connection, key.split("_")[2])
    assert first.revoked_at is not None
    assert revoke_key(connection, key.split("_")[2]) == first
    assert verify_key(connection, PEPPER, key) == first


def test_keys_are_listed_in_the_order_they_were_made(connection: Connection) -> None:
    made = [create_key(connection, PEPPER, plan, plan) for plan in ("prime", "free", "pro")]
    listed = list_keys(connection)
    assert [key.public_id for key in listed] == [key.split("_")[2] for key in made]
    assert find_key(connection, listed[1].public_id) == listed[1]
    assert find_key(connection, "nobody") is None


def test_revoking_an_unknown_key_is_an_error(connection: Connection) -> None:
    with pytest.raises(InvalidInputError) as caught:
        revoke_key(connection, "0123456789ab")
    assert caught.value.code == "unknown_key"


def test_a_label_too_long_or_a_time_past_is_refused(connection: Connection) -> None:
    for label in ("x" * 101, "a\nb"):
        with pytest.raises(InvalidInputError, match="label"):
            create_key(connection, PEPPER, "pro", label)
    with pytest.raises(InvalidInputError, match="past"):
        create_key(connection, PEPPER, "pro", "", expires_at=now_us())
    assert list_keys(connection) == []


def test_an_unknown_key_and_a_wrong_secret_take_the_same_path(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = create_key(connection, PEPPER, "pro", "")
    wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
    unknown = f"ap_live_{'0' * 12}_{key.split('_')[3]}"
    steps: list[tuple[str, int]] = []
    compare = hmac.compare_digest
    digest = hmac.new

    def compared(one: str, other: str) -> bool:
        steps.append(("compare", len(one) + len(other)))
        return compare(one, other)

    def hashed(key: bytes, message: bytes, method: Callable[[], Any]) -> hmac.HMAC:
        steps.append(("hash", len(message)))
        return digest(key, message, method)

    def asked(statement: str) -> None:
        for tried in (wrong, unknown):
            statement = statement.replace(str(public_id_of(tried)), "…")
        steps.append((statement, 0))

    monkeypatch.setattr(hmac, "compare_digest", compared)
    monkeypatch.setattr(hmac, "new", hashed)
    trace_connection(connection, asked)
    paths = []
    for tried in (wrong, unknown):
        steps.clear()
        assert verify_key(connection, PEPPER, tried) is None
        paths.append(list(steps))
    assert paths[0] == paths[1]
    assert sorted(name for name, _ in paths[0] if name in {"compare", "hash"}) == ["compare", "hash"]
    assert len(paths[0]) == 3


def test_what_is_no_key_is_refused_without_asking_the_ledger(connection: Connection) -> None:
    asked: list[str] = []
    trace_connection(connection, asked.append)
    for text in ("DEMO-KEY", "' OR 1=1 --", "ap_live_", "é", "x" * 5000):
        assert verify_key(connection, PEPPER, text) is None
    assert asked == []


def test_a_key_is_for_the_scopes_it_was_made_for(connection: Connection) -> None:
    create_key(connection, PEPPER, "pro", "")
    create_key(connection, PEPPER, "pro", "", scopes=["raw", "raw"])
    assert [key.scopes for key in list_keys(connection)] == [("bars", "raw"), ("raw",)]
    for scopes, code in (([], "bad_scopes"), (["bars", "write"], "unknown_scope")):
        with pytest.raises(InvalidInputError) as caught:
            create_key(connection, PEPPER, "pro", "", scopes=scopes)
        assert caught.value.code == code
    assert len(list_keys(connection)) == 2


def test_a_visitor_gets_an_account_of_the_free_plan(connection: Connection) -> None:
    key = sign_up(connection, PEPPER, "me")
    found = verify_key(connection, PEPPER, key)
    assert found is not None
    assert (found.account, found.plan.name, found.label) == (f"signup-{public_id_of(key)}", "free", "me")


def test_a_rotated_key_is_followed_by_one_of_the_same_account(connection: Connection) -> None:
    old_key = create_key(connection, PEPPER, "pro", "desk", account="acme", scopes=["bars"])
    before = now_us()
    made = rotate_key(connection, PEPPER, public_id_of(old_key), 2)
    old, new = verify_key(connection, PEPPER, old_key), verify_key(connection, PEPPER, made.key)
    assert old is not None
    assert new is not None
    assert (new.account, new.scopes, new.label, new.expires_at) == ("acme", ("bars",), "desk", None)
    assert old.replaced_by == new.public_id
    assert old.expires_at is not None
    assert 0 <= old.expires_at - before - 2 * HOUR < HOUR
    assert made.replaced_expires_at == old.expires_at
    assert made.key not in repr(made)


def test_without_overlap_the_old_key_ends_at_once(connection: Connection) -> None:
    key = create_key(connection, PEPPER, "pro", "")
    rotate_key(connection, PEPPER, public_id_of(key), 0)
    old = verify_key(connection, PEPPER, key)
    assert old is not None
    assert old.expired(now_us())


def test_rotation_never_lengthens_what_was_limited(connection: Connection) -> None:
    end = now_us() + HOUR
    key = create_key(connection, PEPPER, "pro", "", expires_at=end)
    made = rotate_key(connection, PEPPER, public_id_of(key), 24)
    assert [held.expires_at for held in list_keys(connection)] == [end, end]
    assert (made.expires_at, made.replaced_expires_at) == (end, end)


def test_a_key_is_rotated_once_and_only_while_it_is_valid(connection: Connection) -> None:
    rotated = public_id_of(create_key(connection, PEPPER, "pro", ""))
    rotate_key(connection, PEPPER, rotated, 24)
    revoked = public_id_of(create_key(connection, PEPPER, "pro", ""))
    revoke_key(connection, revoked)
    expired = public_id_of(create_key(connection, PEPPER, "pro", ""))
    rotate_key(connection, PEPPER, expired, 0)
    before = list_keys(connection)
    for public_id, hours, code in (
        (rotated, 24, "already_rotated"),
        (revoked, 24, "key_not_valid"),
        (expired, 24, "key_not_valid"),
        ("0123456789ab", 24, "unknown_key"),
        (rotated, -1, "bad_overlap"),
        (rotated, 169, "bad_overlap"),
        (rotated, float("nan"), "bad_overlap"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            rotate_key(connection, PEPPER, public_id, hours)
        assert caught.value.code == code
    assert list_keys(connection) == before


def test_the_last_use_only_moves_forward(connection: Connection) -> None:
    first, second = (public_id_of(create_key(connection, PEPPER, "pro", "")) for _ in range(2))
    mark_used(connection, {})
    mark_used(connection, {first: 200, "0123456789ab": 300})
    mark_used(connection, {first: 100, second: 50})
    assert [key.last_used_at for key in list_keys(connection)] == [200, 50]
