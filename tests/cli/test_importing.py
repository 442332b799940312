from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from tests.engine.importing.frames import trade, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

FUTURES = ("import", "recording", "--exchange", "binance-futures")
HEADER = b"exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
ROW = b"binance-futures,BTCUSDT,1582329602111000,1582329602111005,%d,buy,100.5,2\n"


def test_a_good_file_exits_0_and_says_what_to_do_next(command: Command, tmp_path: Path) -> None:
    done = command.run(*FUTURES, write(tmp_path / "a.txt", trade(1), trade(2)))
    assert (done.code, done.err) == (0, f"New installation in {command.home}\n")
    assert done.out == "a.txt: 2 lines; ticks: trades 2\nNext: aperiodic build\n"
    done = command.run(*FUTURES, tmp_path / "a.txt")
    assert done == (0, "a.txt: imported before, nothing to do\n", "")


def test_refused_files_are_listed_and_the_others_imported(command: Command, tmp_path: Path) -> None:
    good = [write(tmp_path / f"{number}.txt", trade(number)) for number in (1, 3)]
    bad = [write(tmp_path / "2.tar", b"PK\x03\x04"), tmp_path / "[none].txt"]
    done = command.run(*FUTURES, good[0], *bad, good[1])
    assert done.code == 1
    assert "1.txt: 1 lines; ticks: trades 1\n" in done.out
    assert "3.txt: 1 lines; ticks: trades 1\n" in done.out
    assert "Imported 2 files; imported before 0; refused 2.\n" in done.out
    assert "refused: 2.tar is a zip archive.\nhint: Unpack it" in done.err
    assert f"refused: {bad[1]} cannot be read: No such file or directory.\nhint: " in done.err


def test_the_first_and_the_last_missing_number_of_a_gap_are_told(command: Command, tmp_path: Path) -> None:
    done = command.run(*FUTURES, write(tmp_path / "a.txt", trade(432), trade(505)))
    assert "trades: 433 to 504 (sequence_break)\n" in done.out


def test_status_tells_of_rejected_lines_without_ticks(command: Command, tmp_path: Path) -> None:
    command.run(*FUTURES, write(tmp_path / "a.txt", b"1680652700000007 {\n", b"1680652700000008 {\n"))
    first, second = command.run("status").out.splitlines()
    assert first.startswith("No ticks yet.")
    assert second == "rejected: malformed 2 (aperiodic quarantine list)"


def test_a_recording_given_as_a_table_is_named(command: Command, tmp_path: Path) -> None:
    done = command.run("import", "tardis", write(tmp_path / "a.csv", trade(1)))
    assert "hint: This looks like a recording: aperiodic import recording " in done.err
    assert len(done.err.partition("The first line, ")[2].partition("…")[0]) == 81


def test_a_table_with_a_cut_last_row_says_what_to_do_next(command: Command, tmp_path: Path) -> None:
    done = command.run("import", "tardis", write(tmp_path / "a.csv", HEADER, ROW % 1, ROW % 2, ROW[:30]))
    assert done.code == 1
    assert done.out.endswith("Next: aperiodic build\n")


def test_a_folder_is_walked(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    (folder / "deep").mkdir(parents=True)
    write(folder / "b.txt", trade(2))
    write(folder / "deep" / "a.dat.gz", gzip.compress(trade(1)))
    write(folder / "README.md", b"notes\n")
    done = command.run(*FUTURES, folder)
    assert done.code == 0
    assert done.out.splitlines() == [
        "Left out 1 files of other kinds.",
        "a.dat.gz: 1 lines; ticks: trades 1",
        "b.txt: 1 lines; ticks: trades 1",
        "Imported 2 files; imported before 0; refused 0.",
        "Next: aperiodic build",
    ]


def test_nothing_to_import_is_an_error(command: Command, tmp_path: Path) -> None:
    assert command.run(*FUTURES).code == 2
    assert command.run("import", "tardis").code == 2
    done = command.run("import", "tardis", tmp_path)
    assert done.code == 1
    assert f"The folder {tmp_path} holds no files to import" in done.err


def test_the_wrong_venue_is_an_error(command: Command, tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", trade(1), trade(2))
    done = command.run("import", "recording", "--exchange", "hyperliquid-perps", path)
    assert done.code == 1
    assert "not one of its 2 lines became a tick.\nhint: Check --exchange" in done.err
    assert "aperiodic build" not in done.out


@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_a_truncated_file_is_an_error_and_what_it_holds_is_imported(
    command: Command, tmp_path: Path, keep: float
) -> None:
    data = gzip.compress(b"".join(trade(number, q=str(number**5 % 9_973 + 1)) for number in range(1, 500)))
    done = command.run(*FUTURES, write(tmp_path / "a.gz", data[: int(len(data) * keep)]))
    assert done.code == 1
    assert "ticks: trades " in done.out
    assert "a.gz ends early or breaks off; what came before is imported.\nhint: Fetch it again" in done.err


def test_empty_tardis_files_are_told_and_stop_nothing(command: Command, tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "1.csv", HEADER),
        write(tmp_path / "2.csv.gz", gzip.compress(b"")),
        write(tmp_path / "3.csv", HEADER, ROW % 1),
    ]
    done = command.run("import", "tardis", *paths)
    assert done.code == 0
    assert done.out.splitlines()[:3] == [
        "1.csv: 0 rows: there is only a header",
        "2.csv.gz: 0 lines: the file is empty",
        "3.csv: 2 lines; ticks: trades 1",
    ]


def test_a_name_that_the_terminal_cannot_show_is_no_failure(command: Command, tmp_path: Path) -> None:
    done = command.run(*FUTURES, write(tmp_path / "a\udcff[bold]\n.txt", trade(1)))
    assert (done.code, done.out.splitlines()[0]) == (0, "a\\xff[bold]\\n.txt: 1 lines; ticks: trades 1")


def test_the_quarantine_is_listed_shown_and_exported(command: Command, tmp_path: Path) -> None:
    bad = [b"no time {}", b'1680652700000007 {"e":"\xff\x1b[2J"}', b"1680652700000007 {" + b"x" * 1_000]
    write(tmp_path / "a.txt", trade(1), *(line + b"\n" for line in bad))
    assert command.run("quarantine", "list").code == 1
    command.run(*FUTURES, tmp_path / "a.txt")
    done = command.run("quarantine", "list")
    assert done.code == 0
    number = done.out.splitlines()[1].split()[0]
    assert "malformed 3" in done.out
    assert json.loads(command.run("quarantine", "list", "--json").out)[0]["rejected"] == {"malformed": 3}
    assert command.run("quarantine", "list", "--exchange", "okx-perps").out == "Nothing was kept aside.\n"

    done = command.run("quarantine", "show", number)
    assert (done.code, done.out) == (0, command.run("quarantine", "show", "a.txt").out)
    lines = done.out.splitlines()
    assert lines[0].startswith("line 2  no receive time  malformed: ")
    assert lines[1] == "    no time {}"
    assert lines[3].endswith('{"e":"\\xff\\x1b[2J"}')
    assert lines[5].endswith("xxx … (1,018 bytes)")
    assert max(map(len, lines)) < 400
    assert [
        json.loads(line)["line"] for line in command.run("quarantine", "show", "a.txt", "--json").out.splitlines()
    ] == [
        2,
        3,
        4,
    ]
    done = command.run("quarantine", "show", "a.txt", "--limit", "1")
    assert len(done.out.splitlines()) == 2
    (more,) = done.err.splitlines()  # a command is never broken into two lines
    assert more.startswith("… and 2 more lines")
    assert more.endswith(" FILE)")

    target = tmp_path / "out"
    assert command.run("quarantine", "export", "a.txt", target, "--code", "malformed").code == 0
    assert target.read_bytes() == b"".join(line + b"\n" for line in bad)
    assert "is there already" in command.run("quarantine", "export", "a.txt", target).err
    assert "No files with lines kept aside are called 'b'" in command.run("quarantine", "show", "b").err
    assert "There are: malformed." in command.run("quarantine", "show", "a.txt", "--code", "odd").err
