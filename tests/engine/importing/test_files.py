from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing import files
from aperiodic.engine.importing.files import Lines, Progress, SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = b"".join(b"%d some text\n" % number for number in range(50_000))


def read(path: Path) -> tuple[list[bytes], str | None]:
    lines = Lines(SourceFile.look_at(path))
    every: list[bytes] = []
    for first, batch in lines:
        assert first == len(every) + 1
        every += batch
    assert lines.count == len(every)
    return every, lines.damage


@pytest.mark.parametrize(
    "data",
    [
        TEXT,
        gzip.compress(TEXT, 1),
        gzip.compress(TEXT[:100_000]) + gzip.compress(TEXT[100_000:]) + b"\0" * 700,
        zstandard.compress(TEXT),
        zstandard.compress(TEXT[:100_000]) + zstandard.compress(TEXT[100_000:]),
    ],
    ids=["plain", "gzip", "gzip of two members, padded", "zstd", "zstd of two frames"],
)
def test_every_form_gives_the_same_lines(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert read(path) == (TEXT.splitlines(), None)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_a_cut_file_gives_the_lines_before_the_cut(
    tmp_path: Path, compress: Callable[[bytes], bytes], keep: float
) -> None:
    data = compress(TEXT[:300_000]) + compress(TEXT[300_000:])
    path = tmp_path / "file"
    path.write_bytes(data[: int(len(data) * keep)])
    lines, damage = read(path)
    assert damage == "truncated_file"
    assert TEXT.startswith(b"\n".join(lines))
    assert (keep < 0.5) or len(lines) > 20_000


def test_a_damaged_member_gives_the_lines_before_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(TEXT) + b"this is no gzip member")
    assert read(path) == (TEXT.splitlines(), "corrupt_file")


@given(st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"")), max_size=20), st.integers(1, 9))
def test_lines_do_not_depend_on_where_pieces_end(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[bytes], piece: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "file"
    path.write_bytes(b"x" + b"".join(line + b"\n" for line in wanted))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_CHUNK", piece)
        lines, _ = read(path)
    assert lines == (b"x" + b"\n".join([*wanted, b""])).split(b"\n")[: len(lines)]
    assert b"\n".join(lines).rstrip(b"\n") == path.read_bytes().rstrip(b"\n")


def test_an_overlong_line_is_told_and_skipped_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_LINE", 1000)
    monkeypatch.setattr(files, "_CHUNK", 64)
    path = tmp_path / "file"
    path.write_bytes(b"one\n" + b"x" * 50_000 + b"\nthree\n")
    told: list[tuple[int, int]] = []
    lines = Lines(SourceFile.look_at(path), overlong=lambda number, start: told.append((number, len(start))))
    assert [(first, batch) for first, batch in lines] == [(1, [b"one"]), (3, [b"three"])]
    assert len(told) == 1
    assert told[0][0] == 2
    assert told[0][1] < 1100


def test_progress_ends_at_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(TEXT))
    steps: list[Progress] = []
    list(Lines(SourceFile.look_at(path), progress=steps.append))
    assert steps[-1] == Progress("file", path.stat().st_size, path.stat().st_size)


def test_what_is_appended_after_the_first_look_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one\n")
    file = SourceFile.look_at(path)
    path.write_bytes(b"one\ntwo\n")
    assert list(Lines(file)) == [(1, [b"one"])]


def test_a_missing_file_and_a_folder_are_plain_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ImportSourceError) as caught:
            SourceFile.look_at(path)
        assert caught.value.code == "file_unreadable"
