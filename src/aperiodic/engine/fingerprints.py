"""Digests of everything that results are computed from, so that nothing has to be raised by hand when code changes.

| what | is made of |
|---|---|
| bars of a day | the kernel's source and that of the modules it uses, the intervals, the writer's settings, and the ticks |
| a published file | the dataset's fields (names, types, expressions), the source that evaluates them, the writer's settings, and the days |

Comments, docstrings and blank lines are no part of a source: editing them rebuilds nothing.
"""

from __future__ import annotations

import ast
import io
import tokenize
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aperiodic.catalog import MonthProduct
from aperiodic.engine.digests import digest
from aperiodic.engine.families import KERNELS
from aperiodic.lake.writing import PARQUET_OPTIONS
from aperiodic.market import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aperiodic.catalog import Dataset, Family, Field

__all__ = ["bars_digest", "dataset_digest", "essence", "source_digest"]

_KERNELS: Final = "aperiodic.engine.partials"
_COMPILER: Final = "aperiodic.jit"
_READER: Final = "aperiodic.engine.day"
_FIELDS: Final = "aperiodic.engine.fields"


@cache
def bars_digest(family: Family) -> str:
    """Return the digest of how the bars of a family's days are computed and written, whatever their ticks."""
    kernel = KERNELS[family]
    return digest(
        [
            f"{family}",
            _module(_READER)[0],
            source_digest(kernel.open_day.__module__),
            *(f"{stream}: {', '.join(columns)}" for stream, columns in kernel.columns.items()),
            *(f"{clock} {interval} {interval.microseconds}" for clock in Clock for interval in clock.intervals),
            _writer(),
        ]
    )


@cache
def dataset_digest(dataset: Dataset) -> str:
    """Return the digest of how a dataset's published files are computed and written, whatever their days."""
    return digest(
        [
            dataset.id,
            *(f"{field.name}:{field.dtype}={_definition(field)}" for field in dataset.fields),
            source_digest(_FIELDS),
            _writer(),
        ]
    )


@cache
def source_digest(module: str) -> str:
    """Return the digest of a module's source and of all modules of kernels that it uses, directly or not."""
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name], used = _module(name)
            waiting += used
    return digest(f"{name}\n{found[name]}" for name in sorted(found))


@cache
def _module(name: str) -> tuple[str, list[str]]:
    """Return the essence of a module, which several kernels may use, and the modules of kernels that it imports from."""
    source = _source(name)
    return essence(source), [used for used in _imports(source) if used.startswith((_KERNELS, _COMPILER))]


def essence(source: str) -> str:
    """Return Python source without comments, docstrings, blank lines and spaces at the ends of lines."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
            lines[first] = lines[first][: node.col_offset]
            lines[first + 1 : last + 1] = [""] * (last - first)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(stripped for line in lines if (stripped := line.rstrip()))


def _definition(field: Field) -> str:
    if isinstance(field.value, MonthProduct):
        return f"month product {field.value.x} {field.value.y}"
    return str(field.value)


def _writer() -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(PARQUET_OPTIONS.items()))


def _source(module: str) -> str:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    return Path(spec.origin).read_text(encoding="utf-8")


def _imports(source: str) -> Iterator[str]:
    """Yield the modules that a source imports from; names imported from a package may be modules too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if node.module == _KERNELS and find_spec(name) is not None:
                    yield name
