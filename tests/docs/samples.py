"""The samples of the pages, as a reader copies them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def samples(page: Path, language: str = "python") -> list[str]:
    """Return the blocks of code of a page, in order.

    Args:
        page: A file of Markdown.
        language: What stands behind the fence.
    """
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


_AGENTS: Final = ROOT / "docs" / "agents.md"
"""Its sample starts another program; tests/agents/test_stdio.py runs it."""

PAGES_WITH_PYTHON: Final = {str(page.relative_to(ROOT)): page for page in PAGES if page != _AGENTS and samples(page)}
"""By their path in the project."""
