from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from aperiodic.lake import Lake, Settings
from aperiodic.lake.keys import create_key, find_key, list_keys, revoke_key, verify_key
from aperiodic.lake.lake import now_us
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.schema import api_keys
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


def test_a_key_verifies_and_reads_as_documented(connection: Connection) -> None:
    key = create_key(connection, PEPPER, "pro", "notebook")
    assert re.fullmatch(r"ap_live_[0-9a-f]{12}_[0-9A-Za-z]{40}", key)
    found = verify_key(connection, PEPPER, key)
    assert found is not None
    assert (found.public_id, found.plan, found.label) == (key.split("_")[2], "pro", "notebook")
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
