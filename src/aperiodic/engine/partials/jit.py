"""Numba's compiler behind typed decorators. Compiled kernels are kept on disk, so only a first run compiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["inlined", "kernel"]

F = TypeVar("F", bound="Callable[..., Any]")


def kernel(function: F) -> F:
    """Compile a function that works on whole arrays; it lets other threads run meanwhile."""
    return cast("F", njit(cache=True, nogil=True)(function))


def inlined(function: F) -> F:
    """Compile a small function into its callers."""
    return cast("F", njit(cache=True, inline="always")(function))
