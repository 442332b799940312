"""The package that a server gives away: it can be installed without an index, and is the version that runs."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.server.in_process import App, application

import aperiodic
from aperiodic.server import wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with application(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def body(app: App) -> bytes:
    answer = app.client.get(wheel.WHEEL_PATH)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    known = app.client.get(wheel.WHEEL_PATH, headers={"If-None-Match": answer.headers["etag"]})
    assert known.status_code == 304
    return answer.content


@pytest.mark.parametrize("path", ["/client", "/client/"])
def test_the_index_leads_to_the_wheel_with_its_hash(app: App, body: bytes, path: str) -> None:
    page = app.client.get(path)
    assert page.headers["content-type"].startswith("text/html")
    (link,) = re.findall(r'<a href="([^"]+)"', page.text)
    assert link == f"{wheel.WHEEL_PATH}#sha256={hashlib.sha256(body).hexdigest()}"
    assert link.startswith(f"/client/aperiodic_platform-{aperiodic.__version__}-py3-none-any.whl#")


def test_it_holds_the_whole_package_and_says_so_in_its_record(body: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        names = archive.namelist()
        stem = f"aperiodic_platform-{aperiodic.__version__}.dist-info"
        record = {row[0]: row[1:] for row in csv.reader(io.StringIO(archive.read(f"{stem}/RECORD").decode()))}
        assert record.keys() == set(names)
        for name in set(names) - {f"{stem}/RECORD"}:
            digest = base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest()).rstrip(b"=").decode()
            assert record[name] == [f"sha256={digest}", str(archive.getinfo(name).file_size)]
        metadata = archive.read(f"{stem}/METADATA").decode()
    assert {"aperiodic/client/names.py", "aperiodic/cli/explanations.json", "aperiodic/py.typed"} <= set(names)
    assert {"aperiodic/server/site/CHANGELOG.md", f"{stem}/entry_points.txt"} <= set(names)
    assert not any("__pycache__" in name for name in names)
    assert f"\nVersion: {aperiodic.__version__}\n" in metadata


def test_it_can_be_installed_without_an_index(body: bytes, tmp_path: Path) -> None:
    file = tmp_path / wheel.WHEEL_NAME
    file.write_bytes(body)
    pip = (sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "install", "--quiet")
    place = tmp_path / "installed"
    subprocess.run([*pip, "--no-index", "--no-deps", "--no-compile", "--target", place, file], check=True, timeout=120)
    said = subprocess.run(
        [sys.executable, "-S", place / "bin" / "aperiodic", "--version"],
        env={"PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout == f"{aperiodic.__version__}\n"


def test_sources_that_are_not_installed_have_no_package(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "_DISTRIBUTION", "no-such-distribution")
    wheel.wheel_bytes.cache_clear()
    try:
        refused = app.client.get(wheel.WHEEL_PATH)
    finally:
        monkeypatch.undo()
        wheel.wheel_bytes.cache_clear()
    assert refused.status_code == 404
    assert "pip install -e ." in refused.json()["hint"]


@pytest.mark.parametrize("page", ["/", "/notebooks", "/llms-full.txt"])
def test_pages_tell_to_install_from_here_and_from_no_index(app: App, page: str) -> None:
    text = app.client.get(page, headers={"Accept": "text/html"}).text
    assert wheel.WHEEL_PATH in text
    assert not re.search(r"pip install aperiodic\b(?!_)", text)
