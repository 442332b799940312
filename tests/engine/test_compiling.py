from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Any

import pytest

from aperiodic import jit
from aperiodic.catalog import DATASETS, Family
from aperiodic.engine import compiling
from aperiodic.engine.partials import trade_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path


def test_every_dataset_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    monkeypatch.setattr(compiling, "example_bars", done.append)
    compiling.compile_kernels()
    assert sorted(dataset.id for dataset in done) == sorted(DATASETS)


class Spawn:
    """Stands for processes, which are done with their groups as soon as they are started."""

    Pipe = staticmethod(multiprocessing.Pipe)

    def __init__(self) -> None:
        self.compiled: list[str] = []
        self.steps: list[str] = []
        self.fails_after = 8

    def Process(self, *, target: object, args: tuple[Sequence[str], Connection], daemon: bool) -> Process:  # noqa: N802
        assert target is compiling._compile
        assert daemon
        return Process(self, *args)


class Process:
    def __init__(self, spawn: Spawn, groups: Sequence[str], telling: Connection) -> None:
        self.spawn, self.groups, self.telling = spawn, groups, telling

    def start(self) -> None:
        for group in self.groups[: self.spawn.fails_after]:
            self.spawn.compiled.append(group)
            self.telling.send(group)

    def __getattr__(self, name: str) -> Callable[[], None]:
        return lambda: self.spawn.steps.append(name)


@pytest.fixture
def spawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Spawn:
    stands = Spawn()
    monkeypatch.setattr(compiling, "get_context", lambda _how: stands)
    monkeypatch.setattr(compiling, "cpu_count", lambda: 2)
    monkeypatch.setattr(jit, "cache_folder", lambda _kernel: tmp_path)
    return stands


def compile_ahead(*, over: bool = False) -> list[tuple[int, int]]:
    """Return what is told."""
    told: list[tuple[int, int]] = []
    compiling.compile_ahead(lambda: over, lambda done, total: told.append((done, total)))
    return told


def test_a_new_installation_compiles_everything_once_and_tells_how_far(spawn: Spawn) -> None:
    assert compile_ahead() == [(done, 8) for done in range(9)]
    assert sorted(spawn.compiled) == sorted([*Family, "order_book"])
    assert spawn.steps == ["terminate"] * 2 + ["join", "close"] * 2
    assert compile_ahead() == []
    assert len(spawn.compiled) == 8


def test_one_processor_compiles_everything_too(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "cpu_count", lambda: 1)
    assert compile_ahead() == [(done, 8) for done in range(9)]
    assert spawn.steps == ["terminate", "join", "close"]


def test_what_was_ended_in_the_middle_is_compiled_the_next_time(spawn: Spawn) -> None:
    assert compile_ahead(over=True) == [(0, 8)]
    assert spawn.steps == ["terminate"] * 2 + ["join", "close"] * 2
    assert compile_ahead()[-1] == (8, 8)


def test_a_process_that_fails_holds_up_nothing(spawn: Spawn) -> None:
    spawn.fails_after = 1
    assert compile_ahead() == [(0, 8), (1, 8), (2, 8)]
    spawn.fails_after = 8
    assert compile_ahead()[-1] == (8, 8)


def test_another_compiler_or_another_source_compiles_anew(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_ahead()
    monkeypatch.setattr(jit, "compiler", lambda: ("0", "another", ""))
    assert compile_ahead()[-1] == (8, 8)
    assert len(spawn.compiled) == 16


def test_nothing_is_compiled_ahead_where_nothing_can_be_kept(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "cache_folder", lambda _kernel: None)
    assert compile_ahead() == []
    assert spawn.compiled == []


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_done_meanwhile_is_followed_by_the_end_of_the_processes(spawn: Spawn, *, fails: bool) -> None:
    if fails:
        with pytest.raises(KeyboardInterrupt), compiling.compiling():
            raise KeyboardInterrupt
    else:
        with compiling.compiling():
            pass
    assert spawn.steps == ["terminate"] * 2 + ["join", "close"] * 2
    assert len(compile_ahead()) == (9 if fails else 0)


def test_the_folder_of_compiled_kernels_is_known(tmp_path: Path) -> None:
    folder = jit.cache_folder(trade_sums.fold_trades)
    assert folder is not None
    assert folder != tmp_path
