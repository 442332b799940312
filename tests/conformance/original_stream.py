"""Streams with the `aperiodic` of the environment it runs in; the task is JSON on standard input.

`{"key", "url", "channels", "rows", "snapshot", "close_after", "pause"}`: reads so many rows, or until another thread closes
the stream after so many seconds. Writes what it saw as JSON. Every row is announced on a line `row`, so that whoever
started it can act in between.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import warnings
from typing import Any

import aperiodic


def _task(task: dict[str, Any]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    told: dict[str, Any] = {"rows": rows}
    stream = aperiodic.stream(
        task["key"], channels=task["channels"], snapshot=task.get("snapshot", True), stream_url=task["url"]
    )
    if "close_after" in task:
        threading.Timer(task["close_after"], stream.close).start()
    began = time.monotonic()
    try:
        for message in stream:
            rows.append({"channel": message.channel, "data": message.data, "snapshot": message.snapshot})
            print("row", flush=True)  # noqa: T201
            if len(rows) == task.get("rows"):
                break
    except (aperiodic.APIError, aperiodic.AperiodicDataError) as error:
        told["error"] = {
            "type": type(error).__name__,
            "text": str(error),
            "status": getattr(error, "status_code", None),
            "code": getattr(error, "code", None),
            "rejected": [item.code for item in getattr(error, "rejected", ())],
        }
    told["seconds"] = time.monotonic() - began
    told["gaps"] = len(stream.gaps)
    if stream.subscription is not None:
        told["channels"] = list(stream.subscription.channels)
        told["rejected"] = [item.code for item in stream.subscription.rejected]
    return told


if __name__ == "__main__":
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome = _task(json.loads(sys.stdin.readline()))
    outcome["warnings"] = [type(item.message).__name__ for item in caught]
    print(json.dumps(outcome), flush=True)  # noqa: T201
