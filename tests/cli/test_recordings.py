"""`aperiodic recordings`, and what other commands say and do about recordings in the store."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import obstore
import pytest
from tests.cli.conftest import Shell
from tests.engine.importing.frames import trade
from tests.engine.importing.segments import Writer, opened, over
from tests.lakes import VENUE, hashes

from aperiodic.cli.collecting_checks import recordings, uploads
from aperiodic.engine.uploading import Uploader, read_told
from aperiodic.lake import Lake, ObjectKind, Settings, Store
from aperiodic.lake.buckets import open_bucket
from aperiodic.lake.recording_store import put
from aperiodic.lake.recordings import list_recordings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.s3 import S3Server

STORE = {"APERIODIC_RECORDINGS": "store", "APERIODIC_CAPTURE_DISK_FLOOR_BYTES": "0"}


@pytest.fixture
def bucket(s3: S3Server, tmp_path: Path) -> str:
    return s3.url(f"cli/{tmp_path.name}")


def record(home: Path, count: int = 3, *, left_open: bool = False) -> list[Path]:
    """Write recordings of one connection, each a second after the one before, whose frames are two minutes apart."""
    writer = Writer(home, VENUE)
    for number in range(count):
        lines = [over("a1", trade(n), ms=120_000 * number) for n in range(number * 5 + 1, number * 5 + 6)]
        writer.block(*([] if number else [opened(0.1, "a1", "btcusdt@trade")]), *lines)
        if number < count - 1 or not left_open:
            writer.seal()
    return [recording.path for recording in list_recordings(home)]


def listed(shell: Shell, *options: str) -> list[dict[str, Any]]:
    done = shell.run("recordings", "list", "--json", *options)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def ticks(home: Path, store: str | None = None) -> dict[str, str]:
    with closing(Lake.open(Settings(home=home, store=store))) as lake:
        return hashes(lake, ObjectKind.TICKS)


@pytest.mark.parametrize(
    ("told", "store", "expected"),
    [
        (None, None, False),
        (None, "/elsewhere", False),
        (None, "memory://", False),
        (None, "s3://bucket", True),
        ("disk", "s3://bucket", False),
        ("store", None, True),
        ("store", "memory://", False),
    ],
)
def test_recordings_go_into_a_bucket_and_stay_out_of_a_folder_unless_it_is_said(
    monkeypatch: pytest.MonkeyPatch, told: str | None, store: str | None, *, expected: bool
) -> None:
    if told is not None:
        monkeypatch.setenv("APERIODIC_RECORDINGS", told)
    assert Settings(store=store).recordings_in_store == expected


def test_an_unknown_place_for_recordings_is_refused(shell: Shell) -> None:
    done = Shell(shell.home, {"APERIODIC_RECORDINGS": "cloud"}).run("normalise")
    assert done.returncode == 1
    assert "APERIODIC_RECORDINGS" in done.stderr


def test_in_a_folder_nothing_is_copied(shell: Shell) -> None:
    record(shell.home)
    assert shell.run("normalise").returncode == 0
    assert not (shell.home / "store" / "recordings").exists()
    assert read_told(shell.home) == []


def test_a_lost_disk_is_made_good_from_the_store(tmp_path: Path, bucket: str) -> None:
    """What was recorded on one host becomes the same ticks on another, into a ledger that knows nothing."""
    lost = Shell(tmp_path / "lost", {"APERIODIC_STORE": bucket, **STORE})
    lost.home.mkdir()
    record(lost.home)
    done = lost.run("normalise")
    assert "3 recordings put into the store." in done.stdout
    expected = ticks(lost.home, bucket)
    assert len(expected) == 1
    for path in sorted(lost.home.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    found = Shell(tmp_path / "found", {"APERIODIC_STORE": bucket, **STORE})
    done = found.run("recordings", "fetch", "--exchange", VENUE)
    assert done.returncode == 0, done.stderr
    assert "Fetched 3 recordings" in done.stdout
    assert "New installation" in done.stderr
    assert "here before 3" in found.run("recordings", "fetch", "--exchange", VENUE).stdout
    anew = Shell(found.home, {"APERIODIC_STORE": str(tmp_path / "store")})
    done = anew.run("normalise")
    assert done.returncode == 0, done.stderr
    assert "15 ticks" in done.stdout
    assert ticks(found.home, str(tmp_path / "store")) == expected


def test_a_new_ledger_beside_recordings_alone_is_not_a_lost_one(tmp_path: Path, bucket: str) -> None:
    shell = Shell(tmp_path / "home", {"APERIODIC_STORE": bucket, **STORE})
    with closing(Lake.open(Settings(home=tmp_path / "other", store=bucket))) as lake:
        lake.store.put("recordings/binance-futures/x", b"")
    shell.home.mkdir()
    assert shell.run("normalise").returncode == 0


def test_another_host_goes_on_where_a_lost_one_was(tmp_path: Path, bucket: str) -> None:
    shell = Shell(tmp_path / "home", {"APERIODIC_STORE": bucket, **STORE})
    shell.home.mkdir()
    record(shell.home, 5)
    assert "25 ticks" in shell.run("normalise").stdout
    shutil.rmtree(shell.home / "recordings")
    fetch = ("recordings", "fetch", "--exchange", VENUE, "--without-ticks")
    assert "The ticks of these recordings are all made" in shell.run(*fetch).stdout
    paths = record(tmp_path / "lost", 7)
    with closing(Lake.open(Settings(home=tmp_path / "lost", store=bucket), to_restore=True)) as lake:
        asyncio.run(Uploader(lake).run_once())  # two that have not become ticks
    done = shell.run(*fetch)
    assert done.returncode == 0, done.stderr
    here = [recording.path.name for recording in list_recordings(shell.home)]
    assert here == [path.name for path in paths][-len(here) :]
    assert 2 < len(here) < 7  # with those from which it begins again
    assert "10 ticks" in shell.run("normalise").stdout
    whole = Shell(tmp_path / "lost", {"APERIODIC_RECORDINGS": "disk"})
    assert "35 ticks" in whole.run("normalise").stdout
    assert ticks(shell.home, bucket) == ticks(whole.home)


def test_recordings_are_listed_with_where_they_lie(tmp_path: Path, bucket: str) -> None:
    shell = Shell(tmp_path / "home", {"APERIODIC_STORE": bucket, **STORE})
    shell.home.mkdir()
    paths = record(shell.home, 3)
    assert [(row["where"], row["ticks"]) for row in listed(shell)] == [("disk", None)] * 3
    shell.run("normalise")
    paths[0].unlink()
    growing = record(tmp_path / "more", 4, left_open=True)[-1]
    growing.rename(shell.home / growing.relative_to(tmp_path / "more"))
    rows = listed(shell, "--exchange", VENUE)
    assert [(row["where"], row["ticks"]) for row in rows] == [
        ("store", "yes"),
        ("both", "yes"),
        ("both", "yes"),
        ("open", "no"),
    ]
    assert [row["name"] for row in rows[:3]] == [path.name for path in paths]
    assert (rows[3]["end"], rows[3]["frames"]) == (None, None)
    assert rows[0]["start"] == "2023-04-04T23:58:20"
    assert all(row["size"] > 0 for row in rows)
    assert [row["name"] for row in listed(shell, "--start", "2023-04-04T23:58:21", "--end", "2023-04-04T23:58:22")] == [
        paths[1].name
    ]
    assert listed(shell, "--exchange", "okx-perps") == []
    table = shell.run("recordings", "list").stdout
    assert "Where" in table
    assert paths[2].name in table


def test_a_range_that_ends_before_it_starts_is_refused(shell: Shell) -> None:
    done = shell.run("recordings", "list", "--start", "2023-04-05", "--end", "2023-04-04")
    assert done.returncode == 1
    assert "inverted_range" in done.stderr or "does not come after" in done.stderr


def test_what_is_cut_on_the_disk_waits_until_it_is_fetched(tmp_path: Path, bucket: str) -> None:
    shell = Shell(tmp_path / "home", {"APERIODIC_STORE": bucket, **STORE})
    shell.home.mkdir()
    cut = record(shell.home, 3)[1]
    for recording in list_recordings(shell.home):
        asyncio.run(put(Store(bucket), recording))
    whole = Shell(tmp_path / "whole")
    shutil.copytree(shell.home, whole.home)
    assert whole.run("normalise").returncode == 0
    cut.write_bytes(cut.read_bytes()[:50])
    done = shell.run("normalise")
    assert (done.returncode, "5 ticks" in done.stdout) == (1, True)
    assert f"{cut} is not whole" in done.stderr
    assert [row["ticks"] for row in listed(shell)] == ["yes", "no", "no"]
    (told,) = [each for each in recordings(Settings(home=shell.home)) if each.check == "cut recordings"]
    assert (told.state, str(cut) in told.detail) == ("problem", True)
    done = shell.run("recordings", "fetch", "--exchange", VENUE)
    assert "Fetched 1 recordings" in done.stdout
    done = shell.run("normalise")
    assert (done.returncode, "10 ticks" in done.stdout) == (0, True)
    assert "not whole" not in done.stderr
    assert [row["ticks"] for row in listed(shell)] == ["yes"] * 3
    assert ticks(shell.home, bucket) == ticks(whole.home)
    assert "cut recordings" not in [each.check for each in recordings(Settings(home=shell.home))]


def test_what_was_cut_is_listed_with_what_is_there_of_it(tmp_path: Path, bucket: str) -> None:
    shell = Shell(tmp_path / "home", {"APERIODIC_STORE": bucket, **STORE})
    shell.home.mkdir()
    paths = record(shell.home, 3)
    shell.run("normalise")
    whole = listed(shell)
    assert all(row["size"] == row["size_on_disk"] == row["size_in_store"] for row in whole)
    paths[0].unlink()
    paths[2].write_bytes(paths[2].read_bytes()[:9])
    obstore.put(open_bucket(bucket).writes, paths[0].relative_to(shell.home).as_posix(), b"cut")
    rows = listed(shell)
    assert [row["size"] for row in rows] == [row["size"] for row in whole]
    assert [(row["where"], row["size_on_disk"], row["size_in_store"]) for row in rows] == [
        ("store", None, 3),
        ("both", whole[1]["size"], whole[1]["size"]),
        ("both", 9, whole[2]["size"]),
    ]
    table = shell.run("recordings", "list").stdout
    assert "(store 3!)" in table
    assert "(disk 9!)" in table
    done = shell.run("recordings", "fetch", "--exchange", VENUE)
    assert (done.returncode, "in the store is damaged" in done.stderr) == (1, True)
    assert not paths[0].exists()


def test_files_that_are_no_recordings_by_their_names_are_counted_and_named(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "home", {})
    shell.home.mkdir()
    paths = record(shell.home, 3)
    assert "no name of a recording" not in shell.run("normalise").stderr
    renamed = paths[1].rename(paths[1].with_name("yesterday.zst"))
    paths[2].rename(paths[2].parent.parent / paths[2].name)
    for name in (".hidden", paths[0].name + ".fetched", paths[0].name + ".open.part"):
        (paths[0].parent / name).touch()
    for words in (("normalise",), ("status",), ("doctor", "--no-hosts")):
        done = shell.run(*words)
        said = (done.stderr + done.stdout).replace("\n", "")
        assert " and 1 more in the folder of recordings: no name of a recording" in said, words
    told = json.loads(shell.run("status", "--json").stdout)["strange_recordings"]
    assert sorted(told) == sorted([str(renamed), str(paths[2].parent.parent / paths[2].name)])


def test_one_that_is_refused_does_not_keep_the_others_from_being_fetched(tmp_path: Path, bucket: str) -> None:
    shell = Shell(tmp_path / "home", {"APERIODIC_STORE": bucket, **STORE})
    shell.home.mkdir()
    paths = record(shell.home)
    shell.run("normalise")
    content = paths[0].read_bytes()
    paths[0].write_bytes(b"mine")
    paths[1].unlink()
    done = shell.run("recordings", "fetch", "--exchange", VENUE)
    assert done.returncode == 1
    assert "Fetched 1 recordings" in done.stdout
    assert "refused 1" in done.stdout
    assert "Move it away" in done.stderr
    assert paths[0].read_bytes() == b"mine" != content


def test_a_capture_on_the_same_disk_keeps_its_room(tmp_path: Path, bucket: str) -> None:
    shell = Shell(tmp_path / "home", {"APERIODIC_STORE": bucket, **STORE})
    shell.home.mkdir()
    for path in record(shell.home):
        shell.run("normalise")
        path.unlink()
    full = Shell(shell.home, {**shell.env, "APERIODIC_CAPTURE_DISK_FLOOR_BYTES": str(1 << 60)})
    done = full.run("recordings", "fetch", "--exchange", VENUE)
    assert done.returncode == 1
    assert "There is no room" in done.stderr
    assert list_recordings(shell.home) == []


def test_what_cannot_be_put_into_the_store_ends_normalise_with_words(tmp_path: Path, bucket: str) -> None:
    shell = Shell(tmp_path / "home", {"APERIODIC_STORE": bucket, **STORE})
    shell.home.mkdir()
    paths = record(shell.home)
    paths[0].write_bytes(paths[0].read_bytes() + b"?")
    done = shell.run("normalise")
    assert done.returncode == 1
    assert "15 ticks" in done.stdout
    assert "2 recordings put into the store." in done.stdout
    assert "is damaged" in done.stderr
    told = shell.run("status").stdout
    assert f"recordings of {VENUE}: 1 wait for the store" in told
    assert "1 failed: The recording" in told
    (facts,) = json.loads(shell.run("status", "--json").stdout)["uploads"]
    assert (facts["waiting"], facts["failing"], facts["last_failure"]["code"]) == (1, 1, "recording_damaged")
    (finding,) = uploads(Settings(home=shell.home, store=bucket))
    assert (finding.state, finding.hint) == ("problem", facts["last_failure"]["hint"])


def test_the_doctor_tells_of_recordings_that_nothing_puts_into_the_store(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(tmp_path / "home", {"APERIODIC_STORE": bucket, **STORE})
    shell.home.mkdir()
    settings = Settings(home=shell.home, store=bucket)
    assert list(uploads(settings)) == []
    record(shell.home)
    (finding,) = uploads(settings)
    assert (finding.state, finding.detail) == ("warning", "3 wait, and nothing puts them there")
    assert "aperiodic normalise --follow" in finding.hint
    assert list(uploads(Settings(home=shell.home))) == []  # a folder: they are not to go there
    shell.run("normalise")
    (finding,) = uploads(settings)
    assert (finding.state, finding.detail) == ("ok", "none waits")
    later = time.time() + 3_600
    monkeypatch.setattr(time, "time", lambda: later)
    (finding,) = uploads(settings)
    assert finding.state == "ok"
    for recording in list_recordings(shell.home):
        os.utime(recording.sidecar_path, (later, later))
    (finding,) = uploads(settings)
    assert finding.state == "warning"


def test_comparing_store_and_ledger_passes_recordings_over_and_says_so(tmp_path: Path, bucket: str) -> None:
    shell = Shell(tmp_path / "home", {"APERIODIC_STORE": bucket, **STORE})
    shell.home.mkdir()
    record(shell.home)
    shell.run("normalise")
    done = shell.run("ledger", "verify", "--deep")
    assert done.returncode == 0, done.stderr
    assert "unknown: recordings" not in done.stdout
    assert "3 recordings beside them were not looked at" in done.stdout
