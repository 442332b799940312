from __future__ import annotations

import errno
import os
import sqlite3
import sys
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import AuthenticationError
from typing import TYPE_CHECKING, NoReturn

import obstore.exceptions
import polars as pl
import pytest
import sqlalchemy.exc
import zstandard

from aperiodic.cli import status
from aperiodic.cli.console import PlainProgress
from aperiodic.cli.errors import run_command, translate
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from tests.cli.conftest import Command

FULL = sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/x"),
            "disk_full",
            "No space left on device ('/data/x')",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "permission_denied", "Permission denied ('/x')"),
        (OSError(errno.EROFS, "Read-only file system"), "read_only", "Read-only file system"),
        (OSError(errno.ENOSYS, "Function not implemented"), "no_semaphores", "Function not implemented"),
        (PermissionError(errno.EACCES, "Permission denied", "/dev/shm/x"), "no_semaphores", "Permission denied"),  # noqa: S108
        (ImportError("This platform lacks a functioning sem_open implementation"), "no_semaphores", "sem_open"),
        (OSError(errno.EMFILE, "Too many open files"), "too_many_files", "Too many open files"),
        (OSError("odd"), "system_error", "odd"),
        (MemoryError(), "out_of_memory", "not enough memory"),
        (sqlalchemy.exc.OperationalError("SELECT 1", {}, FULL), "ledger_unavailable", "database or disk is full."),
        (FULL, "ledger_unavailable", "database or disk is full"),
        (pl.exceptions.ComputeError("parquet: out of spec"), "unreadable_table", "parquet: out of spec"),
        (obstore.exceptions.GenericError("no route"), "store_unavailable", "no route"),
        (zstandard.ZstdError("bad frame"), "corrupt_file", "bad frame"),
        (BrokenProcessPool("a child died"), "worker_lost", "a child died"),
        (AuthenticationError("digest"), "worker_lost", "digest"),
        (
            ModuleNotFoundError("No module named 'lz4.frame'", name="lz4.frame"),
            "package_missing",
            "needs the package 'lz4', which is not installed",
        ),
        (
            ImportError("libomp.so: cannot open shared object file", name="picows.picows"),
            "package_missing",
            "The package 'picows' cannot be loaded: libomp.so: cannot open",
        ),
        (ImportError("cannot import name 'x'", name="aperiodic.cli"), "unexpected", "An unexpected ImportError"),
        (KeyError("x"), "unexpected", "An unexpected KeyError came up: 'x'."),
        (ValueError(), "unexpected", "An unexpected ValueError came up"),
    ],
)
def test_every_exception_is_translated_with_its_own_reason(error: Exception, code: str, words: str) -> None:
    said = translate(error)
    assert said.code == code
    assert words in said.message
    assert "\n" not in said.message
    assert said.hint


def test_an_error_of_ours_stays_as_it_is() -> None:
    error = InvalidInputError("no", code="x", hint="y")
    assert translate(error) is error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InvalidInputError("It is no.", hint="Say yes."), 1, "error: It is no.\nhint: Say yes.\n"),
        (KeyError("x"), 1, "Set APERIODIC_DEBUG=1"),
        (KeyboardInterrupt(), 130, "Interrupted. What was finished is kept"),
        (BrokenPipeError(), 141, ""),
        (SystemExit(3), 3, ""),
    ],
)
def test_a_command_ends_with_words_and_a_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, words: str
) -> None:
    def fail() -> NoReturn:
        raise error

    monkeypatch.setattr(os, "dup2", lambda *_: None)
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1)
    with pytest.raises(SystemExit) as caught:
        run_command(fail)
    assert caught.value.code == code
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_the_traceback_is_there_for_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> NoReturn:
        raise KeyError

    monkeypatch.setenv("APERIODIC_DEBUG", "1")
    with pytest.raises(KeyError):
        run_command(fail)


def test_a_failure_within_a_command_is_told_in_plain_words(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(status, "open_lake", fail)
    done = command.run("status")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: The system refused: No space left on device.\nhint: Free some space")


def test_progress_without_a_terminal_is_lines() -> None:
    lines: list[str] = []
    times = iter([0.0, 1.0, 2.0, 3.0, 50.0, 51.0, 52.0, 53.0])
    progress = PlainProgress(lines.append, lambda: next(times))
    progress.tell("days", 0, 0)
    for done in (0, 1, 9, 10, 11, 12, 200):
        progress.tell("days", done, 200)
    assert lines == [
        "days: 0 of 200 (0 %)",
        "days: 11 of 200 (5 %)",
        "days: 200 of 200 (100 %)",
    ]
