from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import pytest
import zstandard
from tests.engine.importing.frames import trade, write

from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing import import_recordings
from aperiodic.engine.importing.files import Lines, SourceFile, find_files
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aperiodic.lake import Lake

FRAMES = b"".join(map(trade, range(1, 7)))


def tar(*, form: int = tarfile.USTAR_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name in ("a.txt", "b.txt"):
            member = tarfile.TarInfo(name)
            member.size = len(FRAMES)
            archive.addfile(member, io.BytesIO(FRAMES))
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", FRAMES)
    return file.getvalue()


def old_tar() -> bytes:
    """A tar of before 1988, which has no magic: only the header's checksum tells it."""
    data = bytearray(tar())
    data[257:265] = bytes(8)
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (tar(), "archive", "a tar archive"),
        (old_tar(), "archive", "a tar archive"),
        (gzip.compress(tar()), "archive", "a tar archive"),
        (zstandard.compress(tar()), "archive", "a tar archive"),
        (zipped(), "archive", "a zip archive"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(100), "archive", "a 7z archive"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(100), "archive", "a rar archive"),
        (lzma.compress(FRAMES), "unsupported_format", "an xz file"),
        (bz2.compress(FRAMES), "unsupported_format", "a bzip2 file"),
        (b"\x04\x22\x4d\x18" + bytes(100), "unsupported_format", "an lz4 file"),
        (b"PAR1" + bytes(100), "unsupported_format", "a Parquet file"),
        (FRAMES.decode().encode("utf-16"), "unsupported_format", "text in UTF-16"),
    ],
)
def test_what_is_not_text_is_refused_by_name(lake: Lake, tmp_path: Path, data: bytes, code: str, words: str) -> None:
    with pytest.raises(ImportSourceError, match=f"a.txt is {words}") as caught:
        import_recordings(lake, Exchange.BINANCE_FUTURES, [write(tmp_path / "a.txt", data)])
    assert caught.value.code == code
    assert caught.value.hint
    assert lake.store.paths() == []


def skippable(content: bytes, kind: int = 0) -> bytes:
    return struct.pack("<II", 0x184D2A50 + kind, len(content)) + content


def pzstd(data: bytes, size: int) -> bytes:
    """Frames, each after a skippable frame that tells its length, as pzstd writes them."""
    frames = [zstandard.compress(data[start : start + size]) for start in range(0, len(data), size)]
    return b"".join(skippable(struct.pack("<I", len(frame))) + frame for frame in frames)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + FRAMES,
        gzip.compress(b"\xef\xbb\xbf" + FRAMES),
        pzstd(FRAMES, 100),
        skippable(b"x" * 5_000, 15) + zstandard.compress(FRAMES) + skippable(b""),
        zstandard.ZstdCompressor(write_content_size=False).compress(FRAMES),
        b"".join(gzip.compress(FRAMES[start : start + 7]) for start in range(0, len(FRAMES), 7)),
    ],
    ids=["byte order mark", "the same in gzip", "pzstd", "skippable frames", "zstd of unknown size", "many members"],
)
def test_every_way_to_write_a_recording_is_read(lake: Lake, tmp_path: Path, data: bytes) -> None:
    (report,) = import_recordings(lake, Exchange.BINANCE_FUTURES, [write(tmp_path / "a", data)])
    assert (report.lines, report.ticks, report.rejected) == (6, {"trades": 6}, {})


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_bomb_is_refused_in_bounded_memory(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    # Frames and members may follow one another, so the bomb is made without holding what it stands for.
    data = compress(b"\n" * (24 << 20)) * 3
    file = SourceFile.look_at(write(tmp_path / "bomb", data))
    tracemalloc.start()
    try:
        with pytest.raises(ImportSourceError) as caught:
            for _ in Lines(file):
                pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code == "expands_too_far"
    assert peak < 64 << 20


def test_what_the_decompressor_said_is_kept(tmp_path: Path) -> None:
    lines = Lines(SourceFile.look_at(write(tmp_path / "a", zstandard.compress(FRAMES) + b"x" * 100)))
    list(lines)
    assert lines.damage == "corrupt_file"
    assert lines.damage_reason.startswith("the compressed file breaks here: ")


def test_a_name_that_is_no_utf8_can_be_printed_and_stored(lake: Lake, tmp_path: Path) -> None:
    names = ["币安.txt", "a\udcff.txt", "b\x1b[31m.txt"]
    paths = [write(tmp_path / name, trade(number)) for number, name in enumerate(names, 1)]
    reports = import_recordings(lake, Exchange.BINANCE_FUTURES, paths)
    assert [report.name for report in reports] == ["币安.txt", "a\\xff.txt", "b\\x1b[31m.txt"]


def test_a_folder_stands_for_the_files_in_it(tmp_path: Path) -> None:
    for name in ("b/2.txt.gz", "b/BINANCE.ws.1.0", "a.dat", "notes.md", ".hidden/1.txt", "b/.2.txt", "c/1.csv", "raw"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    found = find_files([tmp_path / "c" / "1.csv", tmp_path], frozenset({"", ".txt", ".dat", ".0"}))
    assert [str(path.relative_to(tmp_path)) for path in found.files] == [
        "c/1.csv",
        "a.dat",
        "raw",
        "b/2.txt.gz",
        "b/BINANCE.ws.1.0",
    ]
    with pytest.raises(ImportSourceError) as caught:
        find_files([tmp_path / "c"], frozenset({".txt"}))
    assert caught.value.code == "no_files"
