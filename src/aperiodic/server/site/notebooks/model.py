"""A notebook is a Python file whose cells begin with `# %%` lines; what it printed lies beside it as JSON.

A cell that begins with `# %% [markdown]` holds words, as comments. The outputs are those of a real run
(`notebooks/run.py`), and carry the digest of the source that was run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["NOTEBOOKS", "SOURCES", "Cell", "Notebook", "Output", "Run", "as_ipynb", "notebook", "parse_cells"]

NOTEBOOKS: Final = (
    *("first-frame", "order-flow", "two-clocks", "depth-and-gaps", "derivatives"),
    *("own-bars", "study-with-costs", "live"),
)
"""Names, in the order to read them."""

SOURCES: Final[Traversable] = files("aperiodic.server.site.notebooks") / "sources"
"""Folder of the sources and their outputs."""

_MARK: Final = "# %%"
_WORDS: Final = f"{_MARK} [markdown]"


class Output(msgspec.Struct, frozen=True):
    """What one cell of code showed.

    Attributes:
        text: What it printed, and the text of its last expression.
        figure: Its last expression as SVG, where that has such a form.
    """

    text: str
    figure: str | None = None


class Run(msgspec.Struct, frozen=True):
    """What a notebook showed when it was run.

    Attributes:
        source: SHA-256 of the source that was run.
        version: Version of Aperiodic that it ran with.
        outputs: One for each cell of code.
    """

    source: str
    version: str
    outputs: list[Output]


@dataclass(frozen=True, slots=True)
class Cell:
    """A part of a notebook.

    Attributes:
        words: Whether it is Markdown; else it is code.
        text: Its text, without the mark and, if Markdown, without the comment signs.
    """

    words: bool
    text: str


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook and its last run.

    Attributes:
        name: Names it in addresses.
        title: From the heading that its first cell begins with.
        summary: The first paragraph.
        cells: All of it.
        digest: SHA-256 of the source.
        run: What it showed; it is of this very source when its `source` equals `digest`.
    """

    name: str
    title: str
    summary: str
    cells: tuple[Cell, ...]
    digest: str
    run: Run

    @property
    def shown(self) -> list[tuple[Cell, Output | None]]:
        """Every cell after the title and the summary, with what it showed; None for words."""
        outputs = iter(self.run.outputs)
        rest = self.cells[0].text.split("\n\n", 2)[2:]
        first = [(Cell(words=True, text=text), None) for text in rest]
        return first + [(cell, None if cell.words else next(outputs, None)) for cell in self.cells[1:]]


def parse_cells(source: str) -> tuple[Cell, ...]:
    """Return the cells of a source; what comes before the first mark belongs to none."""
    cells: list[tuple[bool, list[str]]] = []
    for line in source.splitlines():
        if line.startswith(_MARK):
            cells.append((line.startswith(_WORDS), []))
        elif cells:
            words, lines = cells[-1]
            lines.append(line.removeprefix("#").removeprefix(" ") if words else line)
    return tuple(Cell(words, "\n".join(lines).strip("\n")) for words, lines in cells)


@cache
def notebook(name: str) -> Notebook:
    """Return the notebook of that name.

    Args:
        name: One of `NOTEBOOKS`.
    """
    stem = name.replace("-", "_")
    source = (SOURCES / f"{stem}.py").read_bytes()
    cells = parse_cells(source.decode())
    heading, summary = cells[0].text.split("\n\n", 2)[:2]
    return Notebook(
        name=name,
        title=heading.removeprefix("# "),
        summary=summary.replace("\n", " "),
        cells=cells,
        digest=hashlib.sha256(source).hexdigest(),
        run=msgspec.json.decode((SOURCES / f"{stem}.json").read_bytes(), type=Run),
    )


_SETUP: Final = """\
# The client, the server and a key; what is installed, and what the environment says, stays.
import importlib.util
import os
from getpass import getpass

if importlib.util.find_spec("aperiodic") is None:
    %pip install --quiet {wheel}
os.environ.setdefault("APERIODIC_API_URL", "{api}")
if not os.environ.get("APERIODIC_API_KEY"):
    os.environ["APERIODIC_API_KEY"] = getpass("API key: "){otherwise}"""


def as_ipynb(shown: Notebook, *, api: str, wheel: str, demo_key: str) -> bytes:
    """Return a notebook and its outputs in the format of Jupyter (nbformat 4.5).

    Its first cell makes it run as it is: it names the server that it comes from, and asks for a key.

    Args:
        shown: The notebook.
        api: Address of the API.
        wheel: Address of the client's package.
        demo_key: What opens the preview; empty for none.
    """
    outputs = iter(shown.run.outputs)
    otherwise = f' or "{demo_key}"' if demo_key else ""
    setup = Cell(words=False, text=_SETUP.format(api=api, wheel=wheel, otherwise=otherwise))
    cells = [_code(setup, len(shown.cells), None)]
    cells += [
        _words(cell, number) if cell.words else _code(cell, number, next(outputs, None))
        for number, cell in enumerate(shown.cells)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1)


def _words(cell: Cell, number: int) -> dict[str, object]:
    return {"cell_type": "markdown", "id": f"cell-{number}", "metadata": {}, "source": cell.text}


def _code(cell: Cell, number: int, output: Output | None) -> dict[str, object]:
    shown: list[dict[str, object]] = []
    if output is not None and output.text:
        shown.append({"output_type": "stream", "name": "stdout", "text": output.text})
    if output is not None and output.figure:
        shown.append({"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": output.figure}})
    return {
        "cell_type": "code",
        "id": f"cell-{number}",
        "metadata": {},
        "execution_count": None,
        "outputs": shown,
        "source": cell.text,
    }
