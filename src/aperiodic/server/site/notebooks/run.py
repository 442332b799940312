"""Running the notebooks against a server and keeping what they showed: `python -m aperiodic.server.site.notebooks.run`.

They read address and key from `APERIODIC_API_URL` and `APERIODIC_API_KEY`, as any program does. Names of notebooks behind
the command run only these. A server runs none of this: it shows the outputs that were kept.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from contextlib import redirect_stdout
from importlib.resources import as_file
from io import StringIO
from typing import Any, Final

import msgspec
import polars as pl

from aperiodic._version import __version__
from aperiodic.server.site.notebooks.model import NOTEBOOKS, SOURCES, Output, Run, parse_cells

__all__ = ["run_source"]

_WIDTH: Final = 140
"""Width of printed tables, in characters: enough for names that are long."""


def run_source(source: bytes) -> Run:
    """Run the cells of a notebook one after the other, in one namespace.

    Args:
        source: The file.

    Raises:
        Exception: Whatever a cell raises.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with pl.Config(tbl_width_chars=_WIDTH):
        outputs = [_show(cell.text, namespace) for cell in parse_cells(source.decode()) if not cell.words]
    return Run(source=hashlib.sha256(source).hexdigest(), version=__version__, outputs=outputs)


def _show(code: str, namespace: dict[str, Any]) -> Output:
    """Run a cell, and show its last expression as Jupyter does."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = StringIO()
    with redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), namespace)  # noqa: S102 - the package's own notebooks, never a visitor's
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)  # noqa: S307 - the same
    if value is None:
        return Output(printed.getvalue())
    if hasattr(value, "_repr_svg_"):
        return Output(printed.getvalue(), value._repr_svg_())
    return Output(f"{printed.getvalue()}{value!r}\n")


def _main() -> None:
    for name in sys.argv[1:] or NOTEBOOKS:
        stem = name.replace("-", "_")
        run = run_source((SOURCES / f"{stem}.py").read_bytes())
        with as_file(SOURCES) as folder:
            (folder / f"{stem}.json").write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
        sys.stderr.write(f"{name}: {len(run.outputs)} cells\n")


if __name__ == "__main__":
    _main()
