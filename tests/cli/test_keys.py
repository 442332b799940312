from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

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
    assert re.search(rf"{public_id} +prime +\d{{4}}-\d\d-\d\d +valid +\[/bold\] mine", listed)
    assert secret not in listed

    assert shell.run("keys", "revoke", public_id).returncode == 0
    assert re.search(rf"{public_id} +prime +\S+ +revoked", shell.run("keys", "list").stdout)


def test_a_key_that_does_not_exist_cannot_be_revoked(shell: Shell) -> None:
    done = shell.run("keys", "revoke", "0123456789ab")
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no key of that public id." in done.stderr
