"""Archives in buckets where the reader pays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.engine.backfill.archive_server import archive_server

from aperiodic.engine.backfilling.pace import Pace
from aperiodic.engine.backfilling.remote import S3Remote, open_remote
from aperiodic.engine.errors import ArchiveError
from aperiodic.venues.hyperliquid.archives import HYPERLIQUID_ARCHIVE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.backfill.archive_server import Archive


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with archive_server() as server:
        yield server


def remote(archive: Archive) -> S3Remote:
    url = f"s3://hyperliquid-archive?region=us-east-1&endpoint={archive.url}&allow_http=true"
    opened = open_remote(replace(HYPERLIQUID_ARCHIVE, url=url), Pace("bucket", per_s=1e9))
    assert isinstance(opened, S3Remote)
    return opened


def test_requests_are_signed_and_say_who_pays(archive: Archive) -> None:
    archive.put("hyperliquid-archive/a/b.lz4", b"content")
    bucket = remote(archive)
    found = bucket.find("a/b.lz4")
    assert found is not None
    assert (found.size, len(found.etag)) == (7, 16)
    with bucket.open("a/b.lz4") as answer:
        assert answer is not None
        assert b"".join(answer.content) == b"content"
    with bucket.open("a/b.lz4", 3, found.etag) as answer:
        assert answer is not None
        assert (answer.start, b"".join(answer.content)) == (3, b"tent")
    with bucket.open("a/b.lz4", 3, "another") as answer:
        assert answer is not None
        assert (answer.start, b"".join(answer.content)) == (0, b"content")
    assert bucket.find("a/none.lz4") is None
    for headers in archive.headers:
        assert headers["x-amz-request-payer"] == "requester"
        assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=reader/")


def test_a_reader_that_may_not_is_told_what_to_set(archive: Archive) -> None:
    archive.put("hyperliquid-archive/a/b.lz4", b"content")
    archive.deny = True
    with pytest.raises(ArchiveError) as refused:
        remote(archive).find("a/b.lz4")
    assert refused.value.code == "archive_denied"
    assert "AWS_ACCESS_KEY_ID" in str(refused.value.hint)
