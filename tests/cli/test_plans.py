from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from aperiodic.accounts.plans import list_plans
from aperiodic.cli.plans import app
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

    from aperiodic.lake import Lake


def rows(output: str) -> dict[str, list[str]]:
    """Cells of a printed table by the first of each line."""
    return {cells[0]: cells[1:] for cells in (line.split() for line in output.splitlines()[1:])}


def test_plans_are_made_changed_and_deleted(shell: Shell) -> None:
    made = shell.run("plans", "create", "desk", "--tier", "2", "--requests-per-minute", "5000", "--raw")
    assert (made.returncode, made.stderr) == (0, "")
    assert rows(made.stdout) == {"desk": ["2", "no", "yes", "0", "5,000", "100"]}
    changed = shell.run("plans", "set", "desk", "--sub-minute", "--no-raw", "--live", "4")
    assert rows(changed.stdout) == {"desk": ["2", "yes", "no", "4", "5,000", "100"]}
    assert shell.run("plans", "show", "desk").stdout == changed.stdout
    assert shell.run("plans", "delete", "desk").returncode == 0
    assert list(rows(shell.run("plans", "list").stdout)) == ["free", "starter", "pro", "prime", "prime-raw"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "primr"), "Did you mean 'prime'?"),
        (("set", "pro", "--tier", "4"), "Give a number from 0 to 3."),
        (("create", "Desk", "--tier", "1", "--requests-per-minute", "1"), "cannot be the name of a plan"),
        (("create", "pro", "--tier", "1", "--requests-per-minute", "1"), "There is a plan pro already."),
        (("delete", "free"), "the demo key and sign-up use it"),
    ],
)
def test_a_mistake_changes_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.setenv("APERIODIC_HOME", str(lake.home))
    with lake.engine.connect() as connection:
        before = list_plans(connection)
    with pytest.raises(InvalidInputError, match=re.escape(words)):
        app(arguments, exit_on_error=False, print_error=False)
    with lake.engine.connect() as connection:
        assert list_plans(connection) == before
