"""Numba's compiler behind typed decorators. Compiled kernels are kept on disk, so only a first run compiles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import numba
from numba import njit
from numba.core.registry import cpu_target

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Record", "cache_folder", "compiler", "inlined", "kernel"]

Record: TypeAlias = Any
"""A NumPy record as compiled functions know it: by its fields' names. Elsewhere it is an array of them."""

F = TypeVar("F", bound="Callable[..., Any]")


def kernel(function: F) -> F:
    """Compile a function that works on whole arrays; it lets other threads run meanwhile."""
    return _compiled(function, nogil=True)


def inlined(function: F) -> F:
    """Compile a small function into its callers."""
    return _compiled(function, inline="always")


def cache_folder(function: Callable[..., Any]) -> Path | None:
    """Return where a compiled function is kept; None where that is nowhere."""
    path = getattr(function, "_cache").cache_path  # noqa: B009 - Numba has no other way to ask
    return None if path is None else Path(path)


def compiler() -> tuple[str, ...]:
    """Return what compiled functions depend on besides their source."""
    return (numba.__version__, *cpu_target.target_context.codegen().magic_tuple())


def _compiled(function: F, **options: object) -> F:
    try:
        return cast("F", njit(cache=True, **options)(function))
    except RuntimeError:
        # No folder for compiled kernels can be written (NUMBA_CACHE_DIR, beside the source, the user's cache): each
        # process compiles its own.
        return cast("F", njit(**options)(function))
