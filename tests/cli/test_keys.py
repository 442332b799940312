from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cyclopts.exceptions import CoercionError

from aperiodic.accounts.keys import create_key, list_keys, public_id_of
from aperiodic.cli.keys import app
from aperiodic.lake import Lake, Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


def test_a_new_key_is_all_that_is_printed_and_only_its_hash_is_kept(shell: Shell) -> None:
    narrow = replace(shell, env={"COLUMNS": "20"})
    made = narrow.run("keys", "create", "--plan", "prime", "--label", "[/bold] mine")
    assert (made.returncode, made.stderr) == (0, "")
    match = re.fullmatch(r"ap_live_([0-9a-f]{12})_([0-9A-Za-z]{40})\n", made.stdout)
    assert match is not None
    public_id, secret = match.groups()
    files = [path for path in shell.home.rglob("*") if path.is_file()]
    assert any(public_id.encode() in path.read_bytes() for path in files)
    assert not any(secret.encode() in path.read_bytes() for path in files)

    listed = shell.run("keys", "list").stdout
    assert re.search(
        rf"{public_id} +key-{public_id} +prime +bars,raw +\d{{4}}-\d\d-\d\d +valid +never +\[/bold\] mine", listed
    )
    assert secret not in listed

    assert shell.run("keys", "revoke", public_id).returncode == 0
    assert re.search(rf"{public_id} .* revoked", shell.run("keys", "list").stdout)


def test_a_key_that_does_not_exist_cannot_be_revoked(shell: Shell) -> None:
    done = shell.run("keys", "revoke", "0123456789ab")
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no key of that public id." in done.stderr


def test_an_account_has_several_keys_and_one_plan(shell: Shell) -> None:
    first = shell.run("keys", "create", "--plan", "pro", "--account", "acme")
    second = shell.run("keys", "create", "--account", "acme", "--scope", "raw", "--label", "backup")
    assert (first.returncode, second.returncode) == (0, 0)
    other = shell.run("keys", "create", "--account", "acme", "--plan", "prime")
    assert (other.returncode, other.stdout) == (1, "")
    assert "aperiodic keys set-plan 'acme' prime" in other.stderr
    raised = shell.run("keys", "set-plan", first.stdout.split("_")[2], "prime")
    assert (raised.returncode, raised.stderr) == (0, "acme: pro → prime\n")
    listed = shell.run("keys", "list").stdout
    assert re.search(rf"{first.stdout.split('_')[2]} +acme +prime +bars,raw ", listed)
    assert re.search(rf"{second.stdout.split('_')[2]} +acme +prime +raw .* backup", listed)


def test_a_rotated_key_is_printed_alone_and_the_old_one_ends(shell: Shell) -> None:
    with closing(Lake.open(Settings(home=shell.home))) as lake, begin_write(lake.engine) as connection:
        old = public_id_of(create_key(connection, b"p" * 32, "pro", "desk", account="acme"))
    done = shell.run("keys", "rotate", old, "--overlap", "0m")
    assert done.returncode == 0
    assert re.fullmatch(r"ap_live_[0-9a-f]{12}_[0-9A-Za-z]{40}\n", done.stdout)
    new = done.stdout.split("_")[2]
    assert f"{new} takes the place of {old}" in done.stderr
    listed = shell.run("keys", "list").stdout
    assert re.search(rf"{old} +acme .* expired +never +{new} +desk", listed)
    assert re.search(rf"{new} +acme .* valid +never +desk", listed)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("create",), InvalidInputError, "Add --plan PLAN for a new account, or --account NAME"),
        (("create", "--account", "nobody"), InvalidInputError, "no account 'nobody' yet"),
        (("create", "--plan", "pro", "--scope", "rw"), InvalidInputError, "Did you mean 'raw'?"),
        (("rotate", "0123456789ab"), InvalidInputError, "There is no key of that public id."),
        (("rotate", "0123456789ab", "--overlap", "8d"), InvalidInputError, "Give 0 to 168 hours."),
        (("rotate", "0123456789ab", "--overlap", "soon"), CoercionError, "30m, 24h or 7d"),
        (("set-plan", "nobody", "pro"), InvalidInputError, "neither a key nor an account"),
        (("set-plan", "nobody", "primr"), InvalidInputError, "Did you mean 'prime'?"),
    ],
)
def test_a_mistake_makes_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], error: type[Exception], words: str
) -> None:
    monkeypatch.setenv("APERIODIC_HOME", str(lake.home))
    with pytest.raises(error, match=re.escape(words)):
        app(arguments, exit_on_error=False, print_error=False)
    with lake.engine.connect() as connection:
        assert list_keys(connection) == []
