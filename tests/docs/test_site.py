"""The documentation builds as a site: every page is in it, every link leads somewhere, and nothing comes from outside."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.docs.samples import PAGES, ROOT
from tests.shared import built_once

import aperiodic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG: Final = (ROOT / "zensical.toml").read_text(encoding="utf-8")
DOCUMENTED: Final = set(
    re.findall(
        r"^::: aperiodic\.([\w.]+)$",
        "\n".join(page.read_text(encoding="utf-8") for page in ROOT.glob("docs/reference/*.md")),
        re.MULTILINE,
    )
)
TYPES: Final = {
    *("DerivativeMetric", "Exchange", "Interval", "L1Metric", "L2Metric", "Metric", "OnIncomplete"),
    *("OutputFormat", "RawDataset", "TimestampType", "TradeMetric"),
}
"""Literals, whose values stand with the arguments."""

builds = pytest.mark.skipif(importlib.util.find_spec("zensical") is None, reason="zensical is not installed")
_RUN: Final = "import sys; from zensical.__main__ import cli; sys.exit(cli())"


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _RUN, "build", "--strict"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def build_site(folder: Path) -> None:
    folder.mkdir()
    (folder / "zensical.toml").write_text(CONFIG, encoding="utf-8")
    shutil.copytree(ROOT / "docs", folder / "docs")
    (folder / "src").symlink_to(ROOT / "src")
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Failed to get" not in done.stdout + done.stderr, done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_once(tmp_path_factory, "documentation", build_site) / "site"


def in_navigation(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for child in entry.values() if isinstance(entry, dict) else entry:
            yield from in_navigation(child)


def test_every_page_is_in_the_navigation() -> None:
    named = list(in_navigation(tomllib.loads(CONFIG)["project"]["nav"]))
    assert sorted(named) == sorted(str(page.relative_to(ROOT / "docs")) for page in PAGES if page.name != "README.md")


def test_the_reference_has_every_public_name() -> None:
    names = {name for name in aperiodic.__all__ if not name.endswith("_async") and name != "__version__"}
    missing = names - TYPES - {name.split(".")[0] for name in DOCUMENTED}
    assert missing == set()
    assert {name.split(".")[0] for name in DOCUMENTED} <= set(aperiodic.__all__)


@builds
def test_the_pages_are_built_and_the_reference_comes_from_the_docstrings(site: Path) -> None:
    for page in PAGES:
        if page.name != "README.md":
            assert (site / page.relative_to(ROOT / "docs").with_suffix(".html")).is_file()
    text = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").glob("*.html"))
    assert {name for name in DOCUMENTED if f'id="aperiodic.{name}"' not in text} == set()
    assert "As of <code>aperiodic.get_metrics</code>" in text


@builds
def test_nothing_is_asked_from_outside(site: Path) -> None:
    asked = re.compile(r"<(?:script|img|iframe|source)[^>]*src=\"?(?:https?:)?//|<link[^>]*href=\"?(?:https?:)?//")
    pages = list(site.rglob("*.html"))
    assert pages
    found = {page.name: link for page in pages for link in asked.findall(page.read_text(encoding="utf-8"))}
    assert found == {}
    for sheet in site.rglob("*.css"):
        assert not re.search(r"@import|url\(\"?(?:https?:)?//", sheet.read_text(encoding="utf-8"))


@builds
@pytest.mark.parametrize("link", ["none.md", "index.md#none"])
def test_a_broken_link_fails_the_build(tmp_path: Path, link: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# A page\n\n[a link]({link})\n", encoding="utf-8")
    (tmp_path / "zensical.toml").write_text('[project]\nsite_name = "Test"\n', encoding="utf-8")
    done = build(tmp_path)
    assert done.returncode != 0, done.stdout + done.stderr
