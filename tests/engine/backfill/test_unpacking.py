"""Packages of archives, whole, cut off, damaged and made to fill the memory."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import lz4.frame
import pytest
from tests.engine.backfill.archive_server import framed, tarred, zipped

from aperiodic.engine.backfilling.unpacking import blocks_of_lines, content_of
from aperiodic.engine.errors import ImportSourceError

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"".join(b"%d,some,text\n" % (number * 7_919 % 100_003) for number in range(50_000))
PACKAGES = {
    "a.zip": zipped("a.csv", CONTENT),
    "a.tar.gz": tarred("a.data", CONTENT),
    "a.csv.gz": gzip.compress(CONTENT),
    "a.lz4": framed(CONTENT),
    "b.lz4": framed(CONTENT[:70_001]) + framed(CONTENT[70_001:]),
    "c.lz4": lz4.frame.compress(CONTENT, content_checksum=True, store_size=False),
}


def unpacked(folder: Path, name: str, package: bytes) -> bytes:
    path = folder / name
    path.write_bytes(package)
    return b"".join(content_of(path))


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_gives_its_content(tmp_path: Path, name: str) -> None:
    assert unpacked(tmp_path, name, PACKAGES[name]) == CONTENT


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("share", [0.3, 0.9, 0.9999])
def test_a_package_that_is_cut_off_is_told_by_name(tmp_path: Path, name: str, share: float) -> None:
    with pytest.raises(ImportSourceError) as refused:
        unpacked(tmp_path, name, PACKAGES[name][: int(len(PACKAGES[name]) * share)])
    assert refused.value.code == "truncated_file"
    assert name in refused.value.message


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.csv.gz", "c.lz4"])
def test_a_damaged_package_is_told_by_name(tmp_path: Path, name: str) -> None:
    package = bytearray(PACKAGES[name])
    package[len(package) // 2] ^= 0xFF
    with pytest.raises(ImportSourceError) as refused:
        unpacked(tmp_path, name, bytes(package))
    assert refused.value.code in {"corrupt_file", "truncated_file"}
    assert name in refused.value.message


@pytest.mark.parametrize("name", ["bomb.zip", "bomb.tar.gz"])
def test_a_package_that_fills_the_memory_is_refused(tmp_path: Path, name: str) -> None:
    zeros = bytes(80 << 20)
    package = zipped("bomb.csv", zeros) if name == "bomb.zip" else tarred("a.data", zeros)
    with pytest.raises(ImportSourceError) as refused:
        unpacked(tmp_path, name, package)
    assert refused.value.code == "expands_too_far"


def test_what_is_called_otherwise_than_its_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportSourceError, match="ETHUSDT") as refused:
        unpacked(tmp_path, "BTCUSDT-trades-2025-05-01.zip", zipped("ETHUSDT-trades-2025-05-01.csv", b"1,2\n"))
    assert refused.value.code == "unexpected_members"


def test_blocks_hold_whole_lines(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    pieces = [b"1,2\n3", b",4\n", b"5,6"]
    assert b"".join(blocks_of_lines("x", iter(pieces))) == b"1,2\n3,4\n5,6\n"
    long = [b"1" * (1 << 20)] * 20
    with pytest.raises(ImportSourceError) as refused:
        list(blocks_of_lines("x", iter(long)))
    assert refused.value.code == "overlong_line"
