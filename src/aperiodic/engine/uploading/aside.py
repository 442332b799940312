"""Uploading beside other work: in a thread, which mostly waits for the store, and ends at once when it is told to."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aperiodic.engine.uploading.uploader import Uploader

__all__ = ["uploading"]


@contextmanager
def uploading(uploader: Uploader) -> Iterator[None]:
    """Let an uploader follow what is recorded until the end of the block; what is on its way then comes the next time."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(uploader.follow())

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

    thread = threading.Thread(target=run, name="upload", daemon=True)
    thread.start()
    try:
        yield
    finally:
        with suppress(RuntimeError):  # it has ended
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
