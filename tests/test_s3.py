"""The gate of the test server for S3 lets through what botocore signs, and nothing that was changed afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import httpx
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.s3 import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Refusal, S3Server, SentRequest, check_signature

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESS = "https://bucket.test:9000/market-data/a%20b/x%3Dy/%E5%B8%81~1.parquet"
KNOWN = Credentials(ACCESS_KEY, SECRET_KEY)
OTHERS = Credentials(ACCESS_KEY, "another secret")
STRANGER = Credentials("AKIASTRANGER", SECRET_KEY)


def presigned(credentials: Credentials = KNOWN, *, expires: int = 300, method: str = "GET") -> SentRequest:
    request = AWSRequest(method=method, url=ADDRESS)
    S3SigV4QueryAuth(credentials, "s3", REGION, expires=expires).add_auth(request)
    return sent(request)


def signed(credentials: Credentials = KNOWN, *, query: str = "", body: bytes = b"content") -> SentRequest:
    request = AWSRequest(method="PUT", url=ADDRESS + query, data=body, headers={"x-amz-meta-note": "a   b"})
    S3SigV4Auth(credentials, "s3", REGION).add_auth(request)
    return sent(request, body)


def sent(request: AWSRequest, body: bytes = b"") -> SentRequest:
    parts = urlsplit(request.url)
    headers = {name.lower(): value for name, value in request.headers.items()} | {"host": parts.netloc}
    return SentRequest(request.method, request.url.removeprefix(f"{parts.scheme}://{parts.netloc}"), headers, body)


def in_target(old: str, new: str) -> Callable[[SentRequest], SentRequest]:
    def change(request: SentRequest) -> SentRequest:
        changed = replace(request, target=request.target.replace(old, new))
        assert changed != request
        return changed

    return change


def with_header(name: str, value: str) -> Callable[[SentRequest], SentRequest]:
    return lambda request: replace(request, headers={**request.headers, name: value})


@pytest.mark.parametrize("query", ["", "?list-type=2&prefix=a%2Fb%20c", "?uploads", "?partNumber=2&uploadId=x%2By"])
def test_what_botocore_signs_passes(query: str) -> None:
    check_signature(signed(query=query), datetime.now(UTC))
    check_signature(presigned(), datetime.now(UTC))
    check_signature(presigned(method="HEAD"), datetime.now(UTC))


@pytest.mark.parametrize(
    "change",
    [
        in_target("a%20b", "a%20c"),
        in_target("a%20b", "a%2520b"),
        in_target("X-Amz-Expires=300", "X-Amz-Expires=301"),
        in_target("X-Amz-Expires=300", "X-Amz-Expires=0"),
        in_target("X-Amz-Expires=300", "X-Amz-Expires=9999999"),
        in_target("X-Amz-Expires=300&", ""),
        in_target("SignedHeaders=host", "SignedHeaders=date"),
        in_target(REGION, "us-east-1"),
        in_target("?", "?versionId=2&"),
        in_target("Signature=", "Signature=0"),
        in_target(quote(ACCESS_KEY, safe=""), "AKIASTRANGER"),
        with_header("host", "elsewhere.test:9000"),
        with_header("x-amz-meta-note", "added"),
        lambda request: replace(request, method="HEAD"),
        lambda request: replace(request, method="DELETE"),
        lambda request: replace(request, target=request.target.split("?")[0]),
    ],
)
def test_a_link_that_was_changed_is_refused(change: Callable[[SentRequest], SentRequest]) -> None:
    with pytest.raises(Refusal):
        check_signature(change(presigned()), datetime.now(UTC))


def test_a_link_lasts_as_long_as_it_says() -> None:
    link, now = presigned(expires=60), datetime.now(UTC)
    check_signature(link, now + timedelta(seconds=58))
    with pytest.raises(Refusal, match="Request has expired") as caught:
        check_signature(link, now + timedelta(seconds=62))
    assert caught.value.code == "AccessDenied"
    with pytest.raises(Refusal, match="not valid yet"):
        check_signature(link, now - timedelta(hours=1))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (in_target("a%20b", "a%20c"), "SignatureDoesNotMatch"),
        (in_target("~1", "~1?acl"), "SignatureDoesNotMatch"),
        (lambda request: replace(request, method="GET"), "SignatureDoesNotMatch"),
        (lambda request: replace(request, body=b"changed"), "XAmzContentSHA256Mismatch"),
        (with_header("x-amz-meta-note", "changed"), "SignatureDoesNotMatch"),
        (with_header("x-amz-acl", "public-read"), "AccessDenied"),
        (with_header("host", "elsewhere.test"), "SignatureDoesNotMatch"),
        (with_header("authorization", ""), "AccessDenied"),
        (with_header("authorization", "AWS4-HMAC-SHA256 nonsense"), "AccessDenied"),
    ],
)
def test_a_signed_request_that_was_changed_is_refused(change: Callable[[SentRequest], SentRequest], code: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_signature(change(signed()), datetime.now(UTC))
    assert caught.value.code == code


def test_a_signed_request_is_good_for_a_quarter_of_an_hour() -> None:
    request, now = signed(), datetime.now(UTC)
    check_signature(request, now + timedelta(minutes=14))
    with pytest.raises(Refusal, match="RequestTimeTooSkewed"):
        check_signature(request, now + timedelta(minutes=16))


@pytest.mark.parametrize("credentials", [OTHERS, STRANGER], ids=["another secret", "another key"])
def test_nobody_else_can_sign(credentials: Credentials) -> None:
    for request in (presigned(credentials), signed(credentials)):
        with pytest.raises(Refusal):
            check_signature(request, datetime.now(UTC))


def test_the_server_answers_403_to_what_is_not_signed(s3: S3Server) -> None:
    answer = httpx.get(f"{s3.endpoint}/{BUCKET}")
    assert answer.status_code == 403
    assert "AccessDenied" in answer.text
