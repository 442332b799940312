"""What the project's own files promise: no address of one machine, and no name that does not exist."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import aperiodic

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
LOCKS: Final = sorted(ROOT.glob("requirements/*.lock"))
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
OTHER_TEXTS: Final = [ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".ci" / "run", *ROOT.glob("examples/**/*.py")]

MACHINE_PATH: Final = re.compile(r"(?<![\w.~$}/-])/(?:work|tmp|root)\b")
LOCK_LINE: Final = re.compile(
    r"[\w.-]+(?:\[[\w,]+\])?==[\w.!+-]+( ; [^@:/]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?| +#[^/]*"
)
CODE: Final = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
MAKE: Final = re.compile(r"^[`\s]*make ([a-z][\w-]*)", re.MULTILINE)
FROM_INDEX: Final = re.compile(r"pip install[^\n]*?[ '\"]aperiodic(?:-platform)?(?:\[|['\"\s`]|$)", re.MULTILINE)
WHEEL: Final = re.compile(r"aperiodic_platform-[\w.]+-py3-none-any\.whl")
LINK: Final = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def in_project(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("lock", LOCKS, ids=in_project)
def test_a_lock_file_holds_versions_and_hashes_and_no_address(lock: Path) -> None:
    lines = lock.read_text(encoding="utf-8").splitlines()
    assert lines
    assert [line for line in lines if not LOCK_LINE.fullmatch(line)] == []


@pytest.mark.parametrize("text", [*PAGES, *OTHER_TEXTS, *LOCKS], ids=in_project)
def test_no_path_of_one_machine_is_named(text: Path) -> None:
    assert MACHINE_PATH.findall(text.read_text(encoding="utf-8")) == []


def test_the_change_log_begins_with_this_version_or_with_what_is_not_released() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = next(line for line in text.splitlines() if line.startswith("## ") and line != "## Unreleased")
    version, day = heading.removeprefix("## ").split(" - ")
    assert version == aperiodic.__version__
    assert date.fromisoformat(day).isoformat() == day


def test_nobody_is_told_to_install_from_the_index_what_is_not_there() -> None:
    """The index has another package of the name `aperiodic`, and none of ours."""
    texts = [
        *PAGES,
        *OTHER_TEXTS,
        *(ROOT / "src").rglob("*.py"),
        *(ROOT / "src").rglob("*.html"),
        *ROOT.glob("deploy/*"),
    ]
    told = {
        in_project(text) for text in texts if text.is_file() and FROM_INDEX.search(text.read_text(encoding="utf-8"))
    }
    assert told == set()


def test_the_wheel_that_pages_name_is_of_this_version() -> None:
    named = {(in_project(page), name) for page in PAGES for name in WHEEL.findall(page.read_text(encoding="utf-8"))}
    assert {page for page, _ in named} == {"README.md", "docs/client.md"}
    assert {name for _, name in named} == {f"aperiodic_platform-{aperiodic.__version__}-py3-none-any.whl"}


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))
    named = {(in_project(page), target) for page in PAGES for target in make_targets(page)}
    assert ("README.md", "demo") in named
    assert {(page, target) for page, target in named if target not in targets} == set()


def make_targets(page: Path) -> Iterator[str]:
    for code in CODE.findall(page.read_text(encoding="utf-8")):
        yield from MAKE.findall(code)


@pytest.mark.parametrize("page", PAGES, ids=in_project)
def test_every_link_inside_the_project_leads_to_a_file(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
