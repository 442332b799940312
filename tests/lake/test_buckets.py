from __future__ import annotations

import hashlib
import io
import os
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx
import polars as pl
import pytest
from tests.s3 import ENVIRONMENT, S3Server

from aperiodic.lake import LakeError, ObjectReader, Store
from aperiodic.lake.buckets import S3Url
from aperiodic.lake.writing import parquet_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATH = "bars/ohlcv/timestamp=true/symbol=perpetual-币安人生 1-USDT:USDT/data-0123.parquet"


@pytest.fixture
def server(s3: S3Server) -> Iterator[S3Server]:
    yield s3
    s3.recover()


@pytest.fixture
def store(server: S3Server, request: pytest.FixtureRequest) -> Store:
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    return Store(server.url(f"tests/{name}"))


@pytest.fixture
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def puts(server: S3Server, action: Callable[[], object]) -> int:
    """How many writes an action asks of the server."""
    before = len(server.requests)
    action()
    return [method for method, _ in server.requests[before:]].count("PUT")


def test_a_url_says_everything_but_the_credentials() -> None:
    read = S3Url.parse(
        "s3://market-data/some/prefix/?endpoint=http://minio:9000&region=eu-west-1"
        "&public_endpoint=https://files.example.com&path_style=false&allow_http=true"
    )
    assert read == S3Url(
        bucket="market-data",
        prefix="some/prefix",
        endpoint="http://minio:9000",
        public_endpoint="https://files.example.com",
        region="eu-west-1",
        path_style=False,
        allow_http=True,
    )
    assert S3Url.parse("s3://market-data") == S3Url(bucket="market-data")


@pytest.mark.parametrize(
    ("url", "complaint", "hint"),
    [
        ("s3://AKIA:hunter2@bucket/x", "must not hold a user or a password", "AWS_SECRET_ACCESS_KEY"),
        ("s3://hunter2@bucket", "must not hold a user or a password", "AWS_SECRET_ACCESS_KEY"),
        ("gs://user:hunter2@bucket", "must not hold a user or a password", "AWS_SECRET_ACCESS_KEY"),
        ("nonsense://user:hunter2@bucket", "must not hold a user or a password", "AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket?endpoint=https://user:hunter2@host", "endpoint", "endpoint=https://host:port"),
        ("s3://bucket?regoin=eu-west-1", "unknown option 'regoin'", "Did you mean 'region'?"),
        ("s3://bucket?zzz=hunter2", "unknown option 'zzz'", "Options are endpoint,"),
        ("s3://bucket?region=a&region=b", "region twice", "once"),
        ("s3://bucket?region=", "region", "region=eu-west-1"),
        ("s3://bucket?path_style=yes", "path_style", "path_style=true"),
        ("s3://bucket?endpoint=host:9000", "endpoint", "endpoint=https://host:port"),
        ("s3://bucket?endpoint=https://host/?x=hunter2", "endpoint", "endpoint=https://host:port"),
        ("s3://bucket?endpoint=http://host", "without TLS", "allow_http=true"),
        ("s3://bucket?public_endpoint=http://host", "without TLS", "allow_http=true"),
        ("s3:///prefix", "name of a bucket", "s3://bucket/prefix"),
        ("s3://a/b", "name of a bucket", "s3://bucket/prefix"),
        ("gs://bucket?region=x", "only s3:// takes", "environment"),
        ("https://host/hunter2", "not of a known kind", "s3://"),
        ("bucket", "not of a known kind", "file:///"),
    ],
)
def test_a_wrong_url_is_refused_without_repeating_what_may_be_secret(url: str, complaint: str, hint: str) -> None:
    with pytest.raises(LakeError) as caught:
        Store(url)
    assert caught.value.code == "bad_store_url"
    assert complaint in caught.value.message
    assert hint in (caught.value.hint or "")
    assert "hunter2" not in str(caught.value)


@pytest.mark.usefixtures("_credentials")
@pytest.mark.parametrize(
    ("url", "base_url", "expected"),
    [
        ("s3://b-1?region=eu-west-1", None, "https://s3.eu-west-1.amazonaws.com/b-1/a/b"),
        ("s3://b-1?region=eu-west-1&path_style=false", None, "https://b-1.s3.eu-west-1.amazonaws.com/a/b"),
        ("s3://b-1/p/q?endpoint=https://host:9000/", None, "https://host:9000/b-1/p/q/a/b"),
        ("s3://b-1?endpoint=https://b-1.host&path_style=false", None, "https://b-1.host/a/b"),
        (
            "s3://b-1?endpoint=https://h&public_endpoint=https://files.example.com",
            None,
            "https://files.example.com/b-1/a/b",
        ),
        (
            "s3://b-1?public_endpoint=https://f.example.com",
            "https://ohlcv.example.com/",
            "https://ohlcv.example.com/b-1/a/b",
        ),
    ],
)
def test_a_link_leads_to_where_clients_reach_the_bucket(
    url: str, base_url: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://elsewhere.example.com") if "endpoint" in url else None
    link = urlsplit(Store(url).sign("a/b", 300, base_url))
    assert f"{link.scheme}://{link.netloc}{link.path}" == expected
    query = parse_qs(link.query)
    assert query["X-Amz-Expires"] == ["300"]
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in link.query


def test_only_buckets_sign(tmp_path: object, store: Store) -> None:
    folder = Store(f"file://{tmp_path}")
    assert (folder.signs, store.signs) == (False, True)
    with pytest.raises(ValueError, match="does not sign"):
        folder.sign(PATH, 300)


def test_an_object_is_written_read_listed_and_removed(store: Store) -> None:
    stored = store.put(PATH, b"content")
    assert (stored.path, stored.size, stored.sha256) == (PATH, 7, hashlib.sha256(b"content").hexdigest())
    store.put("other", b"")
    assert (store.read(PATH), store.read("other")) == (b"content", b"")
    assert store.paths() == [PATH, "other"]
    assert store.paths("bars") == [PATH]
    store.delete(PATH)
    store.delete(PATH)
    assert not store.exists(PATH)
    assert store.exists("other")


def test_what_is_not_there_is_missing(store: Store) -> None:
    for read in (store.read, store.read_parquet):
        with pytest.raises(LakeError, match="not in the store") as caught:
            read(PATH)
        assert caught.value.code == "object_missing"


async def test_a_range_is_streamed_exactly(store: Store) -> None:
    data = os.urandom(3_000_000)
    store.put(PATH, data)
    pieces = [piece async for piece in store.stream(PATH, 1_000, 2_500_000)]
    assert b"".join(pieces) == data[1_000:2_501_000]


def test_parquet_is_read_whole_by_column_and_lazily(store: Store) -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    store.put(PATH, parquet_bytes(frame))
    assert store.read_parquet(PATH).equals(frame)
    assert store.read_parquet(PATH, ["b"]).equals(frame.select("b"))
    with ObjectReader(store) as reader:
        assert reader.scan(PATH).filter(pl.col("a") == 2).collect().equals(frame[1:])


def test_a_reader_asks_for_an_object_once_however_often_it_is_read(server: S3Server, store: Store) -> None:
    frame = pl.DataFrame({"a": range(1000), "b": range(1000)})
    store.put(PATH, parquet_bytes(frame))
    before = len(server.requests)
    with ObjectReader(store) as reader:
        assert reader.read(PATH, ["a"]).equals(frame.select("a"))
        lazy = reader.scan(PATH)
        for number in range(3):
            assert lazy.filter(pl.col("a") == number).collect().height == 1
    assert [method for method, _ in server.requests[before:]] == ["GET"]


def test_the_same_content_again_changes_nothing_and_a_left_over_is_replaced(server: S3Server, store: Store) -> None:
    store.put(PATH, b"left over")
    assert puts(server, lambda: store.put(PATH, b"left over")) == 1, "one conditional write, which is refused"
    store.put(PATH, b"content")
    assert store.read(PATH) == b"content"


@pytest.mark.parametrize("write", ["put", "put_file"])
def test_a_large_object_goes_in_parts(server: S3Server, store: Store, write: str) -> None:
    data = os.urandom((16 << 20) + 1)
    digest = hashlib.sha256(data).hexdigest()

    def put() -> None:
        stored = store.put(PATH, data) if write == "put" else store.put_file(PATH, io.BytesIO(data), sha256=digest)
        assert (stored.size, stored.sha256) == (len(data), digest)

    assert puts(server, put) == 4
    assert store.read(PATH) == data
    assert puts(server, put) == 0


def test_a_bucket_without_conditional_writes_is_written_all_the_same(server: S3Server, store: Store) -> None:
    server.trouble = "no-conditions"
    store.put("first", b"first")
    assert puts(server, lambda: store.put(PATH, b"content")) == 1, "it is asked for conditions once"
    assert store.read(PATH) == b"content"


def test_a_link_is_answered_by_the_bucket_until_it_expires(server: S3Server, store: Store) -> None:
    store.put(PATH, b"content")
    link = store.sign(PATH, 2)
    assert httpx.get(link).content == b"content"
    part = httpx.get(link, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"ont")
    elsewhere = store.sign(PATH, 60, server.endpoint.replace("127.0.0.1", "localhost"))
    assert httpx.get(elsewhere).content == b"content"
    assert httpx.get(elsewhere.replace("localhost", "127.0.0.1")).status_code == 403
    assert httpx.get(link.replace("data-0123", "data-0124")).status_code == 403
    assert httpx.head(link).status_code == 403, "S3 signs the method"
    time.sleep(3)
    assert httpx.get(link).status_code == 403


def test_wrong_credentials_are_an_unavailable_store(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    store = Store(server.url("wrong"))
    actions: list[Callable[[], object]] = [lambda: store.read(PATH), store.paths, lambda: store.delete(PATH)]
    for action in actions:
        with pytest.raises(LakeError) as caught:
            action()
        assert caught.value.code == "store_unavailable"
        assert "hunter2" not in str(caught.value)
    with pytest.raises(LakeError) as caught:
        store.put(PATH, b"content")
    assert caught.value.code == "store_write_failed"


@pytest.mark.parametrize("trouble", ["error", "hang", "down"])
def test_a_bucket_in_trouble_is_given_up_in_time_and_works_again_afterwards(
    server: S3Server, store: Store, trouble: str
) -> None:
    store.put(PATH, b"content")
    if trouble == "down":
        server.stop()
    else:
        server.trouble = trouble
    try:
        for action, limit_s in ((store.exists, 6.0), (store.read, 15.0)):
            began = time.monotonic()
            with pytest.raises(LakeError) as caught:
                action(PATH)
            assert caught.value.code == "store_unavailable"
            assert time.monotonic() - began < limit_s
        if trouble != "hang":
            with pytest.raises(LakeError) as caught:
                store.put("other", b"other")
            assert caught.value.code == "store_write_failed"
    finally:
        if trouble == "down":
            server.start()
        server.recover()
    store.put("other", b"other")
    assert (store.read(PATH), store.read("other")) == (b"content", b"other")


def test_a_bucket_that_fails_for_a_moment_is_asked_again(server: S3Server, store: Store) -> None:
    store.put(PATH, b"content")
    server.trouble = "error once"
    assert store.read(PATH) == b"content"
    assert server.trouble is None
