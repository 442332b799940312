"""Every example of a docstring runs, and says what it really gives."""

from __future__ import annotations

import doctest
import importlib
import re
from typing import Final

import pytest
from tests.docs.samples import ROOT

SOURCES: Final = ROOT / "src"
NOTEBOOKS: Final = SOURCES / "aperiodic" / "server" / "site" / "notebooks" / "sources"
WITH_EXAMPLES: Final = [
    ".".join(file.relative_to(SOURCES).with_suffix("").parts)
    for file in sorted(SOURCES.rglob("*.py"))
    if re.search(r"^\s*>>> ", file.read_text(encoding="utf-8"), re.MULTILINE)
]
CODE: Final = re.compile(r"^\s*(?:```|~~~|\.\. code)", re.MULTILINE)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_give_what_they_say(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


def test_no_example_is_written_in_a_way_that_is_not_run() -> None:
    texts = {
        file.relative_to(SOURCES): file.read_text(encoding="utf-8")
        for file in SOURCES.rglob("*.py")
        if file.parent != NOTEBOOKS
    }
    docstrings = {name: re.findall(r'"""(.*?)"""', text, re.DOTALL) for name, text in texts.items()}
    headed = re.compile(r"^ +Examples?:\n(?:(?! +(?:Args|Returns|Raises|Attributes|Yields):).*\n?)*", re.MULTILINE)
    unrun = {
        str(name)
        for name, found in docstrings.items()
        for text in found
        if CODE.search(text) or any(">>>" not in part for part in headed.findall(text))
    }
    assert unrun == set()
