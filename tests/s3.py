"""An S3 server that checks what S3 checks: moto keeps the objects, a gate before it the signatures and their expiry.

The gate follows "Signature Version 4" of the Amazon S3 API reference for signed headers and for presigned links.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

ACCESS_KEY: Final = "tests:AKIATESTSERVER"
"""An account and a user, as some services name them."""
SECRET_KEY: Final = "kept-by-nobody-but-this-test-server"  # noqa: S105 - protects nothing
REGION: Final = "eu-west-1"
BUCKET: Final = "market-data"
ENVIRONMENT: Final = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
"""What a program that uses the server finds in its environment."""

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_CLOCK_SKEW: Final = timedelta(minutes=15)
_LONGEST_LINK_S: Final = 7 * 24 * 3600
_SIGNATURE: Final = "X-Amz-Signature"
_HANGS_S: Final = 30
_LONG: Final = 1 << 20
_CUT_AFTER: Final = 3 << 19


class Refusal(Exception):  # noqa: N818 - an answer, not a defect
    """A request that S3 refuses with 403."""

    def __init__(self, code: str, message: str = "") -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


@dataclass(frozen=True)
class SentRequest:
    """A request as it came over the wire; names of headers in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)


@dataclass(frozen=True)
class _Claim:
    """What a request says of its signature."""

    credential: str
    date: str
    signed_headers: str
    signature: str
    payload: str


def check_signature(request: SentRequest, now: datetime) -> None:
    """Raise `Refusal` unless the request is signed with the server's key, for this very request, at this time."""
    query = dict(request.pairs)
    presigned = "X-Amz-Algorithm" in query
    claim = _claim_of_link(query) if presigned else _claim_of_headers(request)
    made = _parse_date(claim.date)
    if presigned:
        lifetime = int(query["X-Amz-Expires"])
        if not 1 <= lifetime <= _LONGEST_LINK_S:
            raise Refusal("AuthorizationQueryParametersError", "X-Amz-Expires")
        if now > made + timedelta(seconds=lifetime):
            raise Refusal("AccessDenied", "Request has expired")
    elif abs(now - made) > _CLOCK_SKEW:
        raise Refusal("RequestTimeTooSkewed")
    if now < made - _CLOCK_SKEW:
        raise Refusal("AccessDenied", "Request is not valid yet")
    _check_coverage(request, claim, presigned=presigned)
    key_id, day, region, service, ending = (claim.credential.split("/") + [""] * 5)[:5]
    if key_id != ACCESS_KEY:
        raise Refusal("InvalidAccessKeyId")
    if (day, region, service, ending) != (claim.date[:8], REGION, "s3", "aws4_request"):
        raise Refusal("SignatureDoesNotMatch", "scope")
    if not hmac.compare_digest(_signature(request, claim), claim.signature):
        raise Refusal("SignatureDoesNotMatch")


def _claim_of_link(query: Mapping[str, str]) -> _Claim:
    try:
        if query["X-Amz-Algorithm"] != _ALGORITHM:
            raise Refusal("AuthorizationQueryParametersError", "X-Amz-Algorithm")
        return _Claim(
            query["X-Amz-Credential"],
            query["X-Amz-Date"],
            query["X-Amz-SignedHeaders"],
            query[_SIGNATURE] if query["X-Amz-Expires"].isdigit() else "",
            "UNSIGNED-PAYLOAD",
        )
    except KeyError as error:
        raise Refusal("AuthorizationQueryParametersError", str(error)) from error


def _claim_of_headers(request: SentRequest) -> _Claim:
    algorithm, _, rest = request.headers.get("authorization", "").partition(" ")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    try:
        if algorithm != _ALGORITHM:
            raise Refusal("AccessDenied", "no signature")
        return _Claim(
            fields["Credential"],
            request.headers["x-amz-date"],
            fields["SignedHeaders"],
            fields["Signature"],
            request.headers["x-amz-content-sha256"],
        )
    except KeyError as error:
        raise Refusal("AccessDenied", str(error)) from error


def _check_coverage(request: SentRequest, claim: _Claim, *, presigned: bool) -> None:
    signed = claim.signed_headers.split(";")
    needed = {"host"} | {name for name in request.headers if name.startswith("x-amz-")}
    if not needed <= set(signed):
        raise Refusal("AccessDenied", "There were headers present in the request which were not signed")
    if not presigned and claim.payload not in {hashlib.sha256(request.body).hexdigest(), "UNSIGNED-PAYLOAD"}:
        raise Refusal("XAmzContentSHA256Mismatch")


def _signature(request: SentRequest, claim: _Claim) -> str:
    pairs = sorted((_encode(name), _encode(value)) for name, value in request.pairs if name != _SIGNATURE)
    names = claim.signed_headers.split(";")
    canonical = "\n".join(
        [
            request.method,
            quote(unquote(urlsplit(request.target).path), safe="/~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names),
            "",
            claim.signed_headers,
            claim.payload,
        ]
    )
    scope = claim.credential.partition("/")[2]
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{SECRET_KEY}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, f"{_ALGORITHM}\n{claim.date}\n{scope}\n{digest}".encode(), "sha256").hex()


def _encode(text: str) -> str:
    return quote(text, safe="~")


def _parse_date(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refusal("AccessDenied", "X-Amz-Date") from None


class _Handler(WSGIRequestHandler):
    def log(self, *_: Any, **__: Any) -> None:
        """Keep quiet; refusals are for the tests to see."""


class S3Server:
    """A running server; it can be made to fail as buckets do.

    Attributes:
        trouble: What becomes of every request: `hang` waits for `recover`, `error` answers 500, `error once` only the next; None serves it;
            `cut` ends each answer to GET that is longer than a MiB after a MiB and a half of it;
            `no-conditions` answers 501 to conditional writes, as some S3-compatible stores do.
        requests: Method and path of everything that was asked for.
        ranges: Parts of objects that were asked for.
    """

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.requests: list[tuple[str, str]] = []
        self.ranges: list[str] = []
        self._moto = _moto()
        self._released = threading.Event()
        self._port = 0
        self.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def url(self, prefix: str = "", **options: str) -> str:
        """URL of a store in the server's bucket."""
        rest = "".join(f"&{name}={value}" for name, value in options.items())
        return f"s3://{BUCKET}/{prefix}?endpoint={self.endpoint}&region={REGION}&allow_http=true{rest}"

    def start(self) -> None:
        """Listen, on the same port as before; the objects of before are still there."""
        self._server = make_server("127.0.0.1", self._port, self, threaded=True, request_handler=_Handler)
        self._port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self.recover()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def recover(self) -> None:
        """Serve again, and let go of what hangs."""
        self.trouble = None
        self._released.set()
        self._released = threading.Event()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
        request = SentRequest(environ["REQUEST_METHOD"], environ["REQUEST_URI"], headers, body)
        self.requests.append((request.method, environ["PATH_INFO"]))
        if "range" in headers:
            self.ranges.append(headers["range"])
        trouble = self.trouble
        if trouble == "hang":
            self._released.wait(_HANGS_S)
        if trouble == "error once":
            self.trouble = None
        if trouble in {"hang", "error", "error once"}:
            return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError")(environ, start_response)
        if trouble == "no-conditions" and "if-none-match" in headers and request.method == "PUT":
            return _answer(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented")(environ, start_response)
        try:
            check_signature(request, datetime.now(UTC))
        except Refusal as refusal:
            return _answer(HTTPStatus.FORBIDDEN, refusal.code)(environ, start_response)
        environ["wsgi.input"] = BytesIO(body)
        answer: Iterable[bytes] = self._moto(environ, start_response)
        if trouble == "cut" and request.method == "GET":
            whole = b"".join(answer)
            return [whole[:_CUT_AFTER] if len(whole) > _LONG else whole]
        return answer


def _moto() -> Any:
    # A second and a half to import, for the few tests that need it.
    from moto.backends import get_backend  # noqa: PLC0415
    from moto.core.models import DEFAULT_ACCOUNT_ID  # noqa: PLC0415
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415

    get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(BUCKET, REGION)
    return DomainDispatcherApplication(create_backend_app)


def _answer(status: HTTPStatus, code: str) -> Response:
    return Response(f"<Error><Code>{code}</Code></Error>", status, content_type="application/xml")


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run a server with an empty bucket in a thread of this process."""
    server = S3Server()
    try:
        yield server
    finally:
        server.stop()
