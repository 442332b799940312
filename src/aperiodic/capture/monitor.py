"""What a running capture tells of itself: a status file as JSON, and the same numbers for Prometheus."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from aperiodic.capture.connection import Stage
from aperiodic.capture.losses import DISK_FULL, DROPPED
from aperiodic.lake.durability import replace_whole

if TYPE_CHECKING:
    from pathlib import Path

    from aperiodic.capture.session import Session

__all__ = ["keep_telling", "metrics", "status", "status_path", "tell"]

_EVERY_S: Final = 5.0
_LATEST: Final = 20


def status_path(home: Path, exchange: str, shard: str) -> Path:
    """Return where a capture tells of itself; the same numbers for Prometheus lie beside it, as `.prom`."""
    return home / "capture" / f"{exchange}-{shard}.json"


def status(session: Session) -> dict[str, Any]:
    """Return what there is to tell, as JSON."""
    recorder, writer, rest = session.recorder, session.writer, session.rest
    now = time.monotonic()
    connections = [
        {
            "name": connection.name,
            "class": connection.host,
            "url": connection.url,
            "stage": connection.stage.name.lower(),
            "age_s": round(now - connection.opened, 1) if connection.opened else 0.0,
            "streams": len(connection.streams),
            "proven": len(connection.proven),
            "silent": connection.unproven,
            "frames": connection.data,
        }
        for keeper in session.keepers
        for connection in (keeper.current, keeper.successor)
        if connection is not None
    ]
    return {
        "exchange": session.feed.exchange,
        "shard": session.shard,
        "pid": os.getpid(),
        "time": round(time.time(), 3),
        "started": round(session.started, 3),
        "instruments": len(session.natives),
        "unlisted": session.unlisted,
        "set_aside": [each.name for keeper in session.keepers for each in keeper.set_aside],
        "connections": connections,
        "frames": recorder.frames,
        "bytes": recorder.received,
        "dropped_frames": recorder.losses.frames[DROPPED],
        "disk_full": writer.is_full,
        "disk_full_frames": recorder.losses.frames[DISK_FULL],
        "gaps": recorder.losses.gaps,
        "dials": sum(keeper.dials for keeper in session.keepers),
        "hand_overs": sum(keeper.handed_over for keeper in session.keepers),
        "resyncs": session.books.resyncs,
        "snapshots": session.books.snapshots,
        "books_unknown": session.books.unknown,
        "rest_asked": rest.asked,
        "rest_limited": rest.limited,
        "rest_weight_used": rest.weight.used,
        "rest_weight_most": rest.weight.most,
        "clock_offset_us": session.clock.offset_us,
        "clock_rtt_us": session.clock.rtt_us,
        "clock_steps": session.clock.steps,
        "queue_bytes": writer.queued,
        "segment_bytes": writer.written,
        "written_bytes": writer.total,
        "sealed": writer.sealed,
        "disk_lag_ms": round(writer.behind_ns / 1e6, 1),
        "file_lag": {**writer.lags.facts(), "total_s": round(writer.lags.total_s, 6), "buckets": writer.lags.buckets()},
        "disk_free_bytes": shutil.disk_usage(session.settings.home).free,
        "said": [{"time": round(at, 3), "words": words} for at, words in list(session.said)[-_LATEST:]],
    }


_COUNTERS: Final = {
    "frames": ("frames_total", "Frames received."),
    "bytes": ("bytes_total", "Bytes received."),
    "dropped_frames": ("dropped_frames_total", "Frames dropped because the disk was too slow."),
    "disk_full_frames": ("disk_full_frames_total", "Frames lost because the disk was full."),
    "gaps": ("gaps_total", "Gaps because of the disk."),
    "dials": ("dials_total", "Attempts to connect."),
    "hand_overs": ("hand_overs_total", "Connections replaced by a successor."),
    "resyncs": ("resyncs_total", "Books whose numbers broke."),
    "snapshots": ("snapshots_total", "Snapshots asked for."),
    "rest_asked": ("rest_requests_total", "REST requests."),
    "rest_limited": ("rest_limited_total", "REST answers 429 and 418."),
    "sealed": ("segments_sealed_total", "Recordings sealed."),
    "written_bytes": ("written_bytes_total", "Bytes written to recordings."),
    "clock_steps": ("clock_steps_total", "How often this machine's clock was set."),
}
_GAUGES: Final = {
    "instruments": ("instruments", "Instruments captured."),
    "books_unknown": ("books_unknown", "Books that wait for a snapshot."),
    "rest_weight_used": ("rest_weight_used", "REST weight used in the present window."),
    "queue_bytes": ("queue_bytes", "Bytes that wait for the disk."),
    "segment_bytes": ("segment_bytes", "Size of the present recording."),
    "disk_free_bytes": ("disk_free_bytes", "Free bytes where recordings lie."),
}


def metrics(told: dict[str, Any]) -> str:
    """Return a status as Prometheus text."""
    labels = f'{{exchange="{told["exchange"]}",shard="{told["shard"]}"}}'
    lines: list[str] = []

    def add(name: str, words: str, kind: str, values: dict[str, Any]) -> None:
        lines.extend((f"# HELP aperiodic_capture_{name} {words}", f"# TYPE aperiodic_capture_{name} {kind}"))
        lines.extend(f"aperiodic_capture_{name}{where} {value}" for where, value in values.items())

    for key, (name, words) in _COUNTERS.items():
        add(name, words, "counter", {labels: told[key]})
    for key, (name, words) in _GAUGES.items():
        add(name, words, "gauge", {labels: told[key]})
    add("disk_lag_seconds", "From receiving to writing.", "gauge", {labels: told["disk_lag_ms"] / 1e3})
    lag = told["file_lag"]
    name = "aperiodic_capture_file_lag_seconds"
    lines.extend((f"# HELP {name} From receiving the oldest frame of a block to its file.", f"# TYPE {name} histogram"))
    lines.extend(f'{name}_bucket{labels[:-1]},le="{bound}"}} {count}' for bound, count in lag["buckets"].items())
    lines.extend((f"{name}_sum{labels} {lag['total_s']}", f"{name}_count{labels} {lag['count']}"))
    silent = sum(len(each["silent"]) for each in told["connections"])
    add("unproven_streams", "Streams that bring nothing.", "gauge", {labels: silent})
    if told["clock_offset_us"] is not None:
        add("clock_offset_seconds", "Venue's clock less ours.", "gauge", {labels: told["clock_offset_us"] / 1e6})
    stages = Counter(each["stage"] for each in told["connections"])
    values = {f'{labels[:-1]},state="{stage.name.lower()}"}}': stages[stage.name.lower()] for stage in Stage}
    add("connections", "Connections.", "gauge", values)
    return "\n".join(lines) + "\n"


def tell(session: Session) -> None:
    """Write the files, each whole at once."""
    told = status(session)
    path = status_path(session.settings.home, session.feed.exchange, session.shard)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_whole(path, msgspec.json.format(msgspec.json.encode(told)) + b"\n")
    replace_whole(path.with_suffix(".prom"), metrics(told).encode())


async def keep_telling(session: Session) -> None:
    """Tell every five seconds; a disk that refuses is the writer's matter."""
    while True:
        try:
            tell(session)
        except OSError as error:
            session.say(f"the status cannot be written: {error.strerror}")
        await asyncio.sleep(_EVERY_S)
