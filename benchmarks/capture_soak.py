"""Ten minutes of load on a capture, watched from outside: `.venv/bin/python benchmarks/capture_soak.py`.

A mock exchange sends depth updates of 2 KB at 5,000 a second, with a burst of 30,000 a second for ten seconds in the
middle; `aperiodic capture` records them, both as commands of their own. This process looks every two milliseconds how
long the recordings have become, and every second at the memory and the open files of the capture. From the recordings
follows afterwards when each frame was received and when it was first in the file.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from bisect import bisect_left
from pathlib import Path
from statistics import linear_regression
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

if __name__ == "__main__":
    # The root in place of this folder, so that the modules are `benchmarks.…` here as for the type checker.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from aperiodic.capture.monitor import status_path
from aperiodic.lake.blocks import whole_blocks
from aperiodic.lake.recordings import list_recordings
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMAND: Final = "from aperiodic.cli import main; main()"
_RATE, _BURST, _BURST_S = 5_000, 30_000, 10
_LOOK_S: Final = 0.002
_PAGE_MB: Final = os.sysconf("SC_PAGE_SIZE") / 1e6
_WARM_S: Final = 60
"""Memory is compared from here on: before, buffers and caches fill."""

_AFTER_S: Final = 10
"""So long after the end of the burst what follows it counts as part of it."""

Sizes = dict[str, list[tuple[int, int]]]
"""When a recording was seen to be how long, by the name it has in the end: bytes, ns."""


def _wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists() or not path.stat().st_size:
        if time.monotonic() > end:
            raise RuntimeError(f"{path} does not appear")
        time.sleep(0.1)


def _look(
    home: Path, capture: subprocess.Popen[bytes], mock: subprocess.Popen[bytes]
) -> tuple[Sizes, list[list[float]]]:
    """Watch until the mock exchange has told everything; return sizes, and second, MB and open files of the capture."""
    sizes: Sizes = {}
    samples: list[list[float]] = []
    open_ones: list[Path] = []
    process = Path("/proc") / str(capture.pid)
    began = listed = time.monotonic()
    while mock.poll() is None and capture.poll() is None:
        now = time.monotonic()
        if now >= listed:
            listed = now + 1
            open_ones = [one.path for one in list_recordings(home, Exchange.BINANCE_FUTURES) if one.is_open]
            resident = int((process / "statm").read_text().split()[1]) * _PAGE_MB
            samples.append([now - began, resident, len(os.listdir(process / "fd"))])  # noqa: PTH208 - it is fast
        for path in open_ones:
            try:
                size = path.stat().st_size
            except FileNotFoundError:  # it was sealed
                listed = now
                continue
            seen = sizes.setdefault(path.name.removesuffix(".open"), [])
            if not seen or seen[-1][0] != size:
                seen.append((size, time.time_ns()))
        time.sleep(_LOOK_S)
    return sizes, samples


def _lags(home: Path, sizes: Sizes) -> list[tuple[int, float]]:
    """Return of each frame when it was received, ns, and how many ms later it was in the file at the latest."""
    found = []
    for recording in list_recordings(home, Exchange.BINANCE_FUTURES):
        seen = sizes.get(recording.path.name.removesuffix(".open"), [])
        with recording.path.open("rb") as file:
            for end, lines in whole_blocks(file):
                place = bisect_left(seen, (end, 0))
                if place == len(seen):
                    continue  # the last blocks, which were written together with the end
                at = seen[place][1]
                for line in lines.splitlines():
                    ns, _, rest = line.split(b" ", 2)
                    if rest.startswith(b'{"stream"'):
                        found.append((int(ns), (at - int(ns)) / 1e6))
    return found


def _tell_lags(name: str, lags: Sequence[float]) -> None:
    ordered = sorted(lags)
    if ordered:
        p50, p99, p999 = (ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0.5, 0.99, 0.999))
        print(
            f"{name}: {len(ordered):,} frames, p50 {p50:.1f} ms, p99 {p99:.1f} ms, p99.9 {p999:.1f} ms, "
            f"longest {ordered[-1]:.0f} ms"
        )


def main() -> None:
    """Run it and print what came out."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=600, help="how long, the burst included")
    options.add_argument("--folder", type=Path, help="where the recordings are kept for the time of it")
    chosen = options.parse_args()
    calm = (chosen.seconds - _BURST_S) / 2
    plan = f"{calm:g}x{_RATE},{_BURST_S}x{_BURST},{calm:g}x{_RATE}"
    with TemporaryDirectory(dir=chosen.folder, prefix="aperiodic-soak-") as folder:
        home, settings = Path(folder), Path(folder) / "mock.env"
        print(f"load average before: {os.getloadavg()[0]:.1f}", flush=True)
        command = [sys.executable, "-c", _COMMAND]
        mock = subprocess.Popen(
            [*command, "mock-exchange", "--load", plan, "--port", "0", "--env-file", str(settings), "--until-end"],
            stdout=subprocess.DEVNULL,
        )
        _wait_for(settings)
        environment = {**os.environ, "APERIODIC_HOME": folder}
        environment |= dict(line.split("=", 1) for line in settings.read_text(encoding="utf-8").splitlines())
        capture = subprocess.Popen(
            [*command, "capture", "--exchange", "binance-futures", "--all", "--channels", "book"], env=environment
        )
        try:
            sizes, samples = _look(home, capture, mock)
            if capture.poll() is None:
                capture.send_signal(signal.SIGTERM)
            code = capture.wait(60)
        finally:
            for process in (mock, capture):
                if process.poll() is None:
                    process.kill()
                process.wait()
        told = json.loads(status_path(home, "binance-futures", "s0").read_bytes())
        _report(_lags(home, sizes), samples, told, calm)
        print(f"capture ended with {code}; load average after: {os.getloadavg()[0]:.1f}")


def _report(lags: list[tuple[int, float]], samples: list[list[float]], told: dict[str, object], calm: float) -> None:
    first = min(at for at, _ in lags)
    begin = first + int(calm * 1e9)
    end = begin + int((_BURST_S + _AFTER_S) * 1e9)
    _tell_lags("outside the burst", [lag for at, lag in lags if not begin <= at < end])
    burst = [(at, lag) for at, lag in lags if begin <= at < end]
    _tell_lags("in the burst", [lag for _, lag in burst])
    most = max(
        (sum(begin + n * 10**9 <= at < begin + (n + 1) * 10**9 for at, _ in burst) for n in range(_BURST_S)), default=0
    )
    print(f"busiest second of the burst: {most:,} frames")
    print(
        f"frames {told['frames']:,}, dropped {told['dropped_frames']}, gaps {told['gaps']}, resyncs {told['resyncs']}"
    )
    late = [(at, memory) for at, memory, _ in samples if at > min(_WARM_S, samples[-1][0] / 3)]
    slope = linear_regression(*zip(*late, strict=True)).slope * 60
    print(
        f"memory: {late[0][1]:.0f} MB to {late[-1][1]:.0f} MB, most {max(m for _, m in late):.0f} MB, {slope:+.2f} MB a minute"
    )
    files = [int(files) for at, _, files in samples if at > 10]
    print(f"open files: {min(files)} to {max(files)}")


if __name__ == "__main__":
    main()
