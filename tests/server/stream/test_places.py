"""Places for live connections hold over all processes of an installation, and come back when one is killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from aperiodic.server.stream.places import Places

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAKES_TWO = """
import sys
from pathlib import Path
from aperiodic.server.stream.places import Places
places = Places(Path(sys.argv[1]))
print([places.take("key", 3) for _ in range(2)], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    places = Places(tmp_path)
    yield places
    for key, taken in list(places._taken.items()):
        for number in list(taken):
            places.give_back(key, number)
    assert not places._files


def test_processes_share_the_places_of_a_key(tmp_path: Path, places: Places) -> None:
    command = [sys.executable, "-c", TAKES_TWO, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "[0, 1]\n"
        assert places.take("key", 2) is None
        assert places.take("key", 3) == 2
        assert places.take("key", 3) is None
        assert places.take("another", 1) == 0
        other.kill()
    assert places.take("key", 3) == 0
    places.give_back("key", 2)
    assert [places.take("key", 3), places.take("key", 3), places.take("key", 3)] == [1, 2, None]


def test_places_that_are_given_back_can_be_taken_by_another_process(tmp_path: Path, places: Places) -> None:
    assert [places.take("key", 2), places.take("key", 2)] == [0, 1]
    places.give_back("key", 0)
    places.give_back("key", 1)
    command = [sys.executable, "-c", TAKES_TWO, str(tmp_path)]
    answer = subprocess.run(command, input="", capture_output=True, text=True, check=True)
    assert answer.stdout == "[0, 1]\n"


def test_many_threads_never_have_more_places_than_there_are(places: Places) -> None:
    taken: list[int | None] = []

    def take() -> None:
        taken.extend(places.take("", 50) for _ in range(20))

    threads = [threading.Thread(target=take) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for number in taken if number is not None) == list(range(50))
    assert taken.count(None) == 50


def test_without_files_this_process_counts_alone(tmp_path: Path, places: Places) -> None:
    (tmp_path / "streams").write_bytes(b"in the way")
    assert [places.take("key", 2), places.take("key", 2), places.take("key", 2)] == [0, 1, None]
    places.give_back("key", 1)
    assert places.take("key", 2) == 1
