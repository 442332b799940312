from __future__ import annotations

import hashlib
import os
from datetime import date
from typing import TYPE_CHECKING

import pytest
import zstandard

from aperiodic.lake.blocks import whole_blocks
from aperiodic.lake.recordings import (
    Sidecar,
    claim,
    is_sidecar,
    list_recordings,
    new_recording,
    read_sidecar,
    recover,
    seal,
)
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from pathlib import Path

    from aperiodic.lake.recordings import Recording

NOON_NS = 1_795_003_200_000_000_000
OPENED = b'1795003200000000000 a !open {"url":"wss://x","streams":["b@trade","a@trade"]}\n'
FRAMES = b'1795003200000000001 a {"x":1}\n1795003200000000003 b !b64 AAAA\n1795003200000000005 a {"x":2}\n'


def block(lines: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1, write_checksum=True, write_content_size=True).compress(lines)


def begun(home: Path, content: bytes, *, shard: str = "s0", start_ns: int = NOON_NS) -> Recording:
    recording = new_recording(home, Exchange.BINANCE_FUTURES, shard, start_ns)
    recording.path.write_bytes(content)
    return recording


def test_a_recording_lies_in_the_folder_of_its_hour(tmp_path: Path) -> None:
    recording = begun(tmp_path, b"")
    assert recording.path.parent == tmp_path / "recordings/binance-futures/2026-11-18/12"
    assert recording.path.name.endswith(f"-s0-{NOON_NS}.zst.open")
    assert list_recordings(tmp_path) == [recording]
    assert list_recordings(tmp_path, Exchange.BINANCE) == []
    assert list_recordings(tmp_path, first=date(2026, 11, 19)) == []
    assert list_recordings(tmp_path, last=date(2026, 11, 17)) == []
    assert list_recordings(tmp_path, first=date(2026, 11, 18), last=date(2026, 11, 18)) == [recording]


def test_files_of_other_names_are_no_recordings(tmp_path: Path) -> None:
    recording = begun(tmp_path, b"")
    for name in ("notes.zst", "x.zst.json", "host-s0-12.zst.json.part", "host-s0-12.zst.openx"):
        (recording.path.parent / name).touch()
    assert list_recordings(tmp_path) == [recording]


def test_a_sealed_recording_has_a_sidecar(tmp_path: Path) -> None:
    recording = begun(tmp_path, block(FRAMES))
    told = Sidecar(sha256="0" * 64, size=1, first_ns=1, last_ns=2, frames=3, streams=("x",))
    sealed = seal(recording, told)
    assert not recording.path.exists()
    assert list_recordings(tmp_path) == [sealed]
    assert not sealed.is_open
    assert read_sidecar(sealed) == told
    sealed.sidecar_path.write_bytes(b"<html>")
    assert read_sidecar(sealed) is None


@pytest.mark.parametrize("lost", [0, 1, 7, 40])
def test_what_a_dead_writer_left_is_cut_after_the_last_whole_block(tmp_path: Path, lost: int) -> None:
    whole = block(OPENED) + block(FRAMES)
    rest = block(b'1795003200000000009 a {"x":3}\n')
    begun(tmp_path, whole + (rest[:-lost] if lost else b""))
    ((recording, told),) = recover(tmp_path)
    content = recording.path.read_bytes()
    assert content == whole
    assert told == read_sidecar(recording)
    assert told == Sidecar(
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(whole),
        first_ns=NOON_NS,
        last_ns=NOON_NS + 5,
        frames=3,
        streams=("a@trade", "b@trade"),
        recovered=True,
    )
    assert recover(tmp_path) == []


def test_a_damaged_block_ends_a_recording(tmp_path: Path) -> None:
    first, second = block(OPENED), bytearray(block(FRAMES))
    second[-2] ^= 0xFF
    begun(tmp_path, first + bytes(second) + block(FRAMES))
    ((recording, told),) = recover(tmp_path)
    assert recording.path.read_bytes() == first
    assert told.frames == 0


def test_nothing_whole_leaves_nothing(tmp_path: Path) -> None:
    recording = begun(tmp_path, block(FRAMES)[:-1])
    assert recover(tmp_path) == []
    assert not recording.path.exists()


def test_files_that_got_no_name_are_removed(tmp_path: Path) -> None:
    recording = new_recording(tmp_path, Exchange.BINANCE_FUTURES, "s0", NOON_NS)
    for name in (recording.path.name + ".part", recording.sidecar_path.name + ".part"):
        recording.path.with_name(name).touch()
    assert recover(tmp_path) == []
    assert list(recording.path.parent.iterdir()) == []


def test_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    recording = begun(tmp_path, block(FRAMES)[:-1])
    with recording.path.open("r+b") as file, claim(file) as is_mine:
        assert is_mine
        assert recover(tmp_path) == []
    assert recording.path.exists()


def test_blocks_are_read_from_any_place_on(tmp_path: Path) -> None:
    packed = [block(OPENED), block(FRAMES)]
    noise = os.urandom(3 << 20)
    packed.append(block(b"1795003200000000006 a " + noise.hex().encode() + b"\n"))
    path = tmp_path / "x"
    path.write_bytes(b"".join(packed) + packed[0][:-3])
    with path.open("rb") as file:
        read = list(whole_blocks(file))
        assert [place for place, _ in read] == [
            len(packed[0]),
            len(packed[0] + packed[1]),
            len(packed[0] + packed[1] + packed[2]),
        ]
        file.seek(read[0][0])
        assert list(whole_blocks(file)) == read[1:]
    path.write_bytes(packed[0] + b"no block")
    with path.open("rb") as file:
        assert [lines for _, lines in whole_blocks(file)] == [OPENED]


def test_what_describes_a_recording_is_told_by_its_name(tmp_path: Path) -> None:
    recording = begun(tmp_path, b"")
    assert is_sidecar(recording.sidecar_path)
    for name in ("x.json", "2024.zst.json", "vm-s0-12.zst", "vm-s0-12.zst.json.gz"):
        assert not is_sidecar(tmp_path / name)


@pytest.mark.parametrize("folder", ["foo-venue", "old backups"])
def test_folders_that_no_known_exchange_has_are_passed_over(tmp_path: Path, folder: str) -> None:
    recording = begun(tmp_path, b"")
    foreign = tmp_path / "recordings" / folder / "2026-11-18" / "12"
    foreign.mkdir(parents=True)
    (foreign / recording.path.name).touch()
    assert list_recordings(tmp_path) == [recording]
