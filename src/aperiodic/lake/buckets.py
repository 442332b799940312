"""Buckets by URL: how one is reached, how long it is waited for, and links that it answers by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store, from_url

from aperiodic.lake.errors import LakeError, reason_of
from aperiodic.market.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from obstore.store import ClientConfig, ObjectStore, RetryConfig

__all__ = ["Bucket", "S3Url", "open_bucket"]

_OPTIONS: Final = ("endpoint", "public_endpoint", "region", "path_style", "allow_http")
_FLAGS: Final = {"true": True, "false": False}
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_ENDPOINT: Final = re.compile(r"(?P<scheme>https?)://[A-Za-z0-9.:\[\]_-]{1,300}(?:/[A-Za-z0-9._~/-]{0,200})?")
_REGION: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_LINK_HOSTS: Final = 64
_EXAMPLE: Final = "Write s3://bucket/prefix?endpoint=https://host&region=eu-west-1, as docs/server.md shows."


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long one kind of request may take, seconds; `stall_s` is the longest wait for the next bytes of an answer."""

    connect_s: float
    total_s: float
    stall_s: float | None
    retries: int
    retry_within_s: float

    def client(self, *, allow_http: bool) -> ClientConfig:
        options: ClientConfig = {
            "connect_timeout": timedelta(seconds=self.connect_s),
            "timeout": timedelta(seconds=self.total_s),
            "allow_http": allow_http,
        }
        if self.stall_s is not None:
            options["read_timeout"] = timedelta(seconds=self.stall_s)
        return options

    def retry(self) -> RetryConfig:
        return {
            "max_retries": self.retries,
            "retry_timeout": timedelta(seconds=self.retry_within_s),
            "backoff": {
                "init_backoff": timedelta(seconds=0.1),
                "max_backoff": timedelta(seconds=3),
                "base": 2,
            },
        }


_PROBING: Final = _Patience(connect_s=2, total_s=3, stall_s=None, retries=1, retry_within_s=2)
"""A request of a client waits for the answer."""

_READING: Final = _Patience(connect_s=4, total_s=600, stall_s=5, retries=5, retry_within_s=8)
"""The longest wait for a dead bucket is 13 s; a large object may take longer as long as bytes keep coming."""

_WRITING: Final = _Patience(connect_s=5, total_s=60, stall_s=None, retries=6, retry_within_s=15)
"""The wait for an answer includes sending the content, so only the whole can be bounded."""


@dataclass(frozen=True, slots=True)
class S3Url:
    """A bucket of S3 or of a store that speaks its protocol.

    Attributes:
        bucket: Name of the bucket.
        prefix: What all paths begin with, empty for none.
        endpoint: Where it is reached, with the bucket's name in it unless `path_style`; None for the AWS region's own.
        public_endpoint: Where clients reach it, when that is not `endpoint`.
        region: Region that requests are signed for; None: from the environment, else us-east-1.
        path_style: Whether the bucket's name is the first part of the path instead of part of the host.
        allow_http: Whether connections without TLS are allowed.
    """

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    public_endpoint: str | None = None
    region: str | None = None
    path_style: bool = True
    allow_http: bool = False

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `s3://bucket/prefix?option=value&…`; credentials come from the environment, never from here.

        Raises:
            LakeError: `bad_store_url`, saying which part is wrong.
        """
        parts = urlsplit(url)
        if _BUCKET.fullmatch(parts.netloc) is None:
            raise _bad("has no valid name of a bucket", _EXAMPLE)
        options = _read_options(parts.query)
        found = cls(bucket=parts.netloc, prefix=parts.path.strip("/"), **options)
        for endpoint in (found.endpoint, found.public_endpoint):
            if endpoint is not None and endpoint.startswith("http://") and not found.allow_http:
                raise _bad(
                    "names an endpoint without TLS", "Use https://, or add allow_http=true on a private network."
                )
        return found

    def open(self, patience: _Patience, endpoint: str | None = None) -> S3Store:
        """Open the bucket at `endpoint`, default its own."""
        config: dict[str, Any] = {
            "virtual_hosted_style_request": not self.path_style,
            # One path a request works with every S3-compatible store, and no more is ever deleted at once here.
            "disable_bulk_delete": True,
        }
        if endpoint or self.endpoint:
            # An endpoint of the environment goes before the plain `endpoint`, but not before this one.
            config["aws_endpoint_url_s3"] = (endpoint or self.endpoint or "").rstrip("/")
        if self.region:
            config["region"] = self.region
        return S3Store(
            self.bucket,
            prefix=self.prefix or None,
            client_options=patience.client(allow_http=self.allow_http),
            retry_config=patience.retry(),
            **config,
        )


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, opened once for every kind of patience.

    Attributes:
        probes: For what a client's request waits for.
        reads: For reading objects.
        writes: For writing and deleting objects.
        signer: Gives the bucket at a host of its own for signing; None when links cannot be signed.
    """

    probes: ObjectStore
    reads: ObjectStore
    writes: ObjectStore
    signer: Callable[[str | None], AzureStore | GCSStore | S3Store] | None

    def sign(self, path: str, lifetime_s: int, base_url: str | None) -> str:
        """Return a link that answers GET for `lifetime_s`; see `Store.sign`."""
        if self.signer is None:
            raise ValueError("This store does not sign links.")
        return obstore.sign(self.signer(base_url), "GET", path, timedelta(seconds=lifetime_s))


def open_bucket(url: str) -> Bucket:
    """Open a bucket by its URL: `s3://`, `gs://` or `az://`, and `memory://` for trying things out.

    Raises:
        LakeError: `bad_store_url`, or `store_unavailable` when its configuration cannot be used.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise _bad("must not hold a user or a password", "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead.")
    try:
        if parts.scheme == "memory":
            memory = MemoryStore()
            return Bucket(memory, memory, memory, None)
        if parts.scheme == "s3":
            return _open_s3(S3Url.parse(url))
        if parts.scheme in {"gs", "az"}:
            return _open_other(url)
    except (BaseError, ValueError) as error:
        raise LakeError(
            f"The object store {parts.scheme}://… cannot be opened: {reason_of(error)}.",
            code="store_unavailable",
            hint="Check APERIODIC_STORE and the credentials in the environment.",
        ) from error
    raise _bad("is not of a known kind", "It begins with file:///, s3://, gs:// or az://.")


def _open_s3(where: S3Url) -> Bucket:
    @lru_cache(maxsize=_LINK_HOSTS)
    def signer(base_url: str | None) -> S3Store:
        return where.open(_PROBING, base_url or where.public_endpoint)

    return Bucket(where.open(_PROBING), where.open(_READING), where.open(_WRITING), signer)


def _open_other(url: str) -> Bucket:
    if urlsplit(url).query:
        raise _bad("has options, which only s3:// takes", "Configure this kind of bucket by its own environment.")
    probes, reads, writes = (
        from_url(url, client_options=patience.client(allow_http=False), retry_config=patience.retry())
        for patience in (_PROBING, _READING, _WRITING)
    )
    signer = (lambda _base_url: probes) if isinstance(probes, AzureStore | GCSStore) else None
    return Bucket(probes, reads, writes, signer)


def _read_options(query: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            guess = nearest(name, _OPTIONS)
            known = f"Options are {', '.join(_OPTIONS)}."
            raise _bad(f"has the unknown option {name[:40]!r}", f"Did you mean {guess!r}?" if guess else known)
        if name in options:
            raise _bad(f"has the option {name} twice", "Give it once.")
        options[name] = _read_option(name, value)
    return options


def _read_option(name: str, value: str) -> str | bool:
    if name in {"path_style", "allow_http"}:
        if value not in _FLAGS:
            raise _bad(f"has the option {name} with something else than true or false", f"Write {name}=true.")
        return _FLAGS[value]
    pattern = _REGION if name == "region" else _ENDPOINT
    if pattern.fullmatch(value) is None:
        example = "region=eu-west-1" if name == "region" else f"{name}=https://host:port"
        raise _bad(f"has the option {name} with a value that is none", f"Write {example}.")
    return value


def _bad(what: str, hint: str) -> LakeError:
    return LakeError(f"The URL of the object store (APERIODIC_STORE) {what}.", code="bad_store_url", hint=hint)
