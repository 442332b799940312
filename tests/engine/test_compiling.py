from __future__ import annotations

import multiprocessing

import pytest

from aperiodic.catalog import DATASETS
from aperiodic.engine import compiling


def test_every_dataset_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    monkeypatch.setattr(compiling, "example_bars", done.append)
    compiling.compile_kernels()
    assert done == list(DATASETS.values())


@pytest.mark.parametrize("fails", [False, True])
def test_the_process_is_waited_for_and_ended_in_any_case(monkeypatch: pytest.MonkeyPatch, *, fails: bool) -> None:
    steps: list[str] = []

    class Process:
        def __init__(self, *, target: object, daemon: bool) -> None:
            assert target is compiling.compile_kernels
            assert daemon

        def __getattr__(self, name: str) -> object:
            return lambda: steps.append(name)

    monkeypatch.setattr(multiprocessing.get_context("spawn"), "Process", Process)
    if fails:
        with pytest.raises(KeyboardInterrupt), compiling.compiling():
            raise KeyboardInterrupt
    else:
        with compiling.compiling():
            steps.append("work")
    assert steps == ["start", *([] if fails else ["work", "join"]), "terminate", "join", "close"]
