from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aperiodic.lake import Lake, Settings
from aperiodic.lake.plans import find_plan, list_plans
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path


def test_plans_grow_and_an_unknown_one_names_the_nearest(tmp_path: Path) -> None:
    lake = Lake.open(Settings(home=tmp_path))
    with lake.engine.connect() as connection:
        plans = list_plans(connection)
        assert [plan.name for plan in plans] == ["free", "starter", "pro", "prime", "prime-raw"]
        assert [plan.tier for plan in plans] == [0, 1, 2, 3, 3]
        assert [plan.name for plan in plans if plan.sub_minute] == ["prime", "prime-raw"]
        assert [plan.name for plan in plans if plan.raw] == ["prime-raw"]
        with pytest.raises(InvalidInputError) as caught:
            find_plan(connection, "primeraw")
    lake.close()
    assert caught.value.code == "unknown_plan"
    assert "'prime-raw'" in (caught.value.hint or "")
