"""A collector whose disk is lost: what it had put into the store becomes the same ticks on another host."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from tests.capture.test_session import until
from tests.lakes import hashes
from tests.mock.market import FUTURES, mocking
from tests.replay.pipeline import capturing, lead_to

from aperiodic.engine.normalising import Normaliser
from aperiodic.engine.parts import compact_ticks
from aperiodic.engine.uploading import Uploader
from aperiodic.lake import Lake, ObjectKind, Settings, Store
from aperiodic.lake.recording_store import fetch, list_stored
from aperiodic.lake.recordings import list_recordings
from aperiodic.venues import feed_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from tests.s3 import S3Server

    from aperiodic.capture.session import Session

CHANNELS = ("trades", "book", "mark_price")


def has_recorded(session: Session) -> bool:
    return session.recorder.frames > 50


def made(lake: Lake) -> dict[str, str]:
    """Make ticks of what is there; return their digests."""
    Normaliser(lake).run_once()
    compact_ticks(lake)
    return hashes(lake, ObjectKind.TICKS)


async def test_recordings_of_a_lost_disk_become_the_same_ticks_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: S3Server
) -> None:
    monkeypatch.setattr("aperiodic.capture.dialling.DialBudget.take", lambda _: 0.0)
    exchange = FUTURES
    lost, found, store = tmp_path / "lost", tmp_path / "found", s3.url("lost")
    with closing(Lake.open(Settings(home=lost, store=store))) as lake:
        uploader = Uploader(lake)
        async with mocking(tmp_path, exchange, seconds=4.0) as client:
            lead_to(client.mock, monkeypatch)
            for _ in range(2):
                async with capturing(lost, exchange, feed_of(exchange).majors[:1], CHANNELS) as session:
                    await until(partial(has_recorded, session))
                    await uploader.run_once()
                await uploader.run_once()
        assert uploader.uploaded[exchange] == len(list_recordings(lost)) == 2
        expected = await asyncio.to_thread(made, lake)
    assert len(expected) >= 3
    shutil.rmtree(lost)
    with closing(Lake.open(Settings(home=found))) as anew:
        bucket = Store(store)
        for held in list_stored(bucket, found, exchange):
            assert await fetch(bucket, *held)
        assert await asyncio.to_thread(made, anew) == expected
