"""A build on a Ray cluster in a process of its own. Arguments: home, `--on`, a folder for marks of tasks that begin."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from aperiodic.engine.build import build
from aperiodic.engine.executors.on_ray import OnRay
from aperiodic.engine.executors.tasks import run_task
from aperiodic.lake import Lake, Settings

if TYPE_CHECKING:
    from aperiodic.engine.executors.tasks import Task, Written


def marked(marks: str, store_url: str, task: Task) -> Written:
    """Leave a mark that tells the node, then run a task; a moment later, so that there is time to kill it."""
    import ray  # noqa: PLC0415 - only where it runs

    (Path(marks) / f"{ray.get_runtime_context().get_node_id()}-{uuid4().hex}").touch()
    time.sleep(0.5)
    return run_task(store_url, task)


if __name__ == "__main__":
    home, on, folder = sys.argv[1:]
    with closing(Lake.open(Settings(home=Path(home)))) as lake:
        from tests.engine import ray_work  # the function is found by its name there

        executor = OnRay(lake.store.url, on, partial(ray_work.marked, folder))
        report = build(lake, executor=executor)
    sys.stdout.write(f"{report.days} {report.months} {report.files}\n")
