"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.checked import CHECKED, table
from tests.durations import Durations
from tests.failures import FailuresAtOnce
from tests.in_memory_files import use_memory
from tests.postgres import PostgresServer, postgres_server
from tests.s3 import ENVIRONMENT, S3Server, s3_server
from tests.soak import load_profile, time_is_up
from tests.swift import SwiftServer, swift_server

from aperiodic.catalog import DATASETS
from aperiodic.lake import Lake, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


load_profile()
use_memory()
# A file that one test fetched must not spare another one its request; tests of the cache have folders of their own.
os.environ.setdefault("APERIODIC_CACHE", "0")
os.environ["APERIODIC_CONFIG"] = os.devnull  # nor may the profiles of who runs the tests
os.environ.pop("APERIODIC_PROFILE", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make durations` say where to write how long every test took, and `.ci/run` ask for failures at once."""
    parser.addoption("--record-durations", metavar="FILE", help="write how long every test took, the longest first")
    parser.addoption("--failures-at-once", action="store_true", help="write failures when they happen, too")


def pytest_configure(config: pytest.Config) -> None:
    """Record durations and tell failures in the process that hears of all tests."""
    if hasattr(config, "workerinput"):
        return
    if path := config.getoption("--record-durations"):
        config.pluginmanager.register(Durations(path))
    if config.getoption("--failures-at-once"):
        config.pluginmanager.register(FailuresAtOnce(config))


def pytest_runtest_setup() -> None:
    """Begin no further test when the time of a soak is used up."""
    if time_is_up():
        pytest.skip("The time of the soak is used up.")


@pytest.fixture(autouse=True)
def _no_installation_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "STORE", "LEDGER", "PORT", "PUBLIC_URL", "SECRET", "API_KEY", "API_URL"):
        monkeypatch.delenv(f"APERIODIC_{name}", raising=False)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """An empty installation in a folder of its own."""
    opened = Lake.open(Settings(home=tmp_path / "home"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server; every test makes a database of its own on it."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory, s3: S3Server) -> Iterator[SwiftServer]:  # noqa: ARG001 - the same credentials
    """OpenStack Swift with one bucket; every test uses a prefix of its own."""
    with swift_server(tmp_path_factory.mktemp("swift")) as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """An S3 server with one bucket, and its credentials in the environment; every test uses a prefix of its own."""
    with pytest.MonkeyPatch.context() as environment, s3_server() as server:
        for name, value in ENVIRONMENT.items():
            environment.setenv(name, value)
        yield server


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let `.ci/run` fail when a test that it prepared for was skipped after all."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("APERIODIC_FORBID_SKIPS") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["checked"] = sorted(CHECKED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Gather from the worker processes which fields they compared."""
    CHECKED.update(tuple(entry) for entry in getattr(node, "workeroutput", {}).get("checked", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print which fields were compared with an oracle, on which intervals and clocks."""
    if CHECKED:
        terminalreporter.section("fields compared with the oracles")
        contract = {name: [field.name for field in dataset.fields] for name, dataset in DATASETS.items()}
        for line in table(CHECKED, contract):
            terminalreporter.write_line(line)
