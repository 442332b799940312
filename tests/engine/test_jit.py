from __future__ import annotations

from typing import Any

import pytest

from aperiodic.jit import inlined, kernel


@pytest.mark.parametrize("compiled", [kernel, inlined])
def test_a_kernel_for_which_no_cache_can_be_written_is_compiled_all_the_same(compiled: Any) -> None:
    names: dict[str, Any] = {}
    exec("def add(a, b): return a + b", names)  # noqa: S102 (code of no file has no folder for a cache)
    assert compiled(names["add"])(1, 2) == 3
