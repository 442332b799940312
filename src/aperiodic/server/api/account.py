"""What holders of keys do for themselves: sign up, look at their account, rotate their key.

These are the only routes that change anything on request. A page of another site cannot use them: a browser lets it
send neither the header `X-API-KEY` nor, since `Origin` is checked, a sign-up in a visitor's name.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.exceptions import InternalServerException
from litestar.status_codes import (
    HTTP_400_BAD_REQUEST,
    HTTP_403_FORBIDDEN,
    HTTP_409_CONFLICT,
    HTTP_413_REQUEST_ENTITY_TOO_LARGE,
)

from aperiodic.accounts.keys import find_key, public_id_of, rotate_key, sign_up
from aperiodic.accounts.plans import FREE
from aperiodic.accounts.usage import UsageDay, account_usage
from aperiodic.lake.ledger import begin_write
from aperiodic.market import InvalidInputError
from aperiodic.market.time import time_at
from aperiodic.server.errors import RequestError, refuse, request_id
from aperiodic.server.links.signing import host_of
from aperiodic.server.service import Service

__all__ = [
    "AccountAnswer",
    "Limits",
    "NewKey",
    "PlanEntry",
    "RotateRequest",
    "RotatedKey",
    "SignupRequest",
    "get_account",
    "post_rotate",
    "post_signup",
]

_NO_STORE: Final = {"Cache-Control": "no-store"}
_MAX_BODY: Final = 4096
_USAGE_DAYS: Final = 30
_SHOWN: Final = 200
_CONFLICTS: Final = frozenset({"already_rotated", "key_not_valid"})


class SignupRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What may be said when signing up.

    Attributes:
        label: A note, at most 100 printable characters.
    """

    label: str = ""


class RotateRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What may be said when rotating a key.

    Attributes:
        overlap_hours: How long the old key goes on working, 0 to 168.
    """

    overlap_hours: float = 24.0


class NewKey(msgspec.Struct):
    """A key, shown this once.

    Attributes:
        key: The whole key, for the header `X-API-KEY`.
        public_id: The part that names it.
        plan: Name of its plan.
        request_id: Names the request.
    """

    key: str
    public_id: str
    plan: str
    request_id: str


class RotatedKey(msgspec.Struct):
    """A key that took another's place, shown this once.

    Attributes:
        key: The whole new key.
        public_id: The part that names it.
        plan: Name of its plan.
        expires_at: When it expires, ISO 8601, UTC; null: never.
        replaces: Public id of the old key.
        replaced_expires_at: When the old key expires, ISO 8601, UTC.
        request_id: Names the request.
    """

    key: str
    public_id: str
    plan: str
    expires_at: str | None
    replaces: str
    replaced_expires_at: str
    request_id: str


class PlanEntry(msgspec.Struct):
    """What a plan includes.

    Attributes:
        name: Names it.
        tier: Highest tier of metrics; 0 for none but the preview.
        sub_minute: Whether intervals below a minute are included.
        raw: Whether raw ticks are included.
        live: Live connections at the same time.
        requests_per_minute: Answers a minute that a key may ask for.
    """

    name: str
    tier: int
    sub_minute: bool
    raw: bool
    live: int
    requests_per_minute: int


class Limits(msgspec.Struct):
    """How the key, or for the demo key the address, stands; the same as in the headers `RateLimit-…`.

    Attributes:
        requests_per_minute: The limit.
        remaining: Requests that would be admitted right now.
        reset_s: Seconds until all of the limit is there again.
    """

    requests_per_minute: int
    remaining: int
    reset_s: int


class AccountAnswer(msgspec.Struct):
    """A key, its account and what was issued to the account.

    Attributes:
        public_id: The part of the key that names it; null for the demo key, as are account and label.
        account: Name of the account.
        label: The key's note.
        plan: What the account may read.
        scopes: What the key is for.
        expires_at: When the key expires, ISO 8601, UTC; null: never.
        replaced_by: Public id of the key that took its place; null: none did.
        usage: What all keys of the account were issued, for each of the last 30 UTC days that has any.
        limits: How many requests the key may send.
        request_id: Names the request.
    """

    public_id: str | None
    account: str | None
    label: str | None
    plan: PlanEntry
    scopes: list[str]
    expires_at: str | None
    replaced_by: str | None
    usage: list[UsageDay]
    limits: Limits
    request_id: str


async def _read_body(request: Request[Any, Any, Any]) -> bytes:
    """Return the body of a request.

    Raises:
        RequestError: 413 `body_too_large`, before more than that has been read; 400 `bad_body` when it breaks off.
    """
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > _MAX_BODY:
                raise refuse(
                    HTTP_413_REQUEST_ENTITY_TOO_LARGE,
                    "body_too_large",
                    f"The body is longer than {_MAX_BODY} bytes.",
                    "Send only the fields that this endpoint has.",
                )
    except InternalServerException:
        # What the framework raises for a client that went away or whose chunks are none: no defect of the server.
        raise refuse(
            HTTP_400_BAD_REQUEST, "bad_body", "The body broke off, or its chunks cannot be read.", "Send it again."
        ) from None
    return body


_BODY: Final = {"sent": Provide(_read_body)}


@post("/api/v1/signup", sync_to_thread=True, dependencies=_BODY, request_max_body_size=None)
def post_signup(
    request: Request[Any, Any, Any], service: NamedDependency[Service], sent: NamedDependency[bytes]
) -> Response[NewKey]:
    """Make an account with a key of the plan free; needs no key, and is limited by address."""
    if not service.settings.signup:
        raise refuse(
            HTTP_403_FORBIDDEN,
            "signup_closed",
            "Nobody can sign up here by themselves.",
            "Ask the operator of this server for a key.",
        )
    _require_same_site(request, service)
    asked = _parse(sent, SignupRequest)
    try:
        with service.admit_new_key(request), begin_write(service.lake.engine) as connection:
            key = sign_up(connection, service.secrets.pepper, asked.label)
    except InvalidInputError as error:
        raise RequestError(HTTP_400_BAD_REQUEST, [error]) from None
    answer = NewKey(key, public_id_of(key), FREE, request_id(request.scope))
    return Response(answer, headers=_NO_STORE)


@get("/api/v1/account", sync_to_thread=True)
def get_account(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[AccountAnswer]:
    """Answer with the key that asks, its plan, its limits and the usage of its account."""
    with service.lake.engine.connect() as connection:
        caller = service.authorise(connection, request)
        standing = service.admit(request, caller)
        key = find_key(connection, caller.public_id) if caller.public_id else None
        usage = [] if key is None else account_usage(connection, key.account, _last_days())
    plan = caller.plan
    answer = AccountAnswer(
        public_id=None if key is None else key.public_id,
        account=None if key is None else key.account,
        label=None if key is None else key.label,
        plan=PlanEntry(plan.name, plan.tier, plan.sub_minute, plan.raw, plan.live, plan.requests_per_minute),
        scopes=list(caller.scopes),
        expires_at=None if key is None or key.expires_at is None else _iso(key.expires_at),
        replaced_by=None if key is None else key.replaced_by,
        usage=usage,
        limits=Limits(standing.limit, standing.remaining, standing.reset_s),
        request_id=request_id(request.scope),
    )
    return Response(answer, headers=_NO_STORE)


@post("/api/v1/account/rotate", sync_to_thread=True, dependencies=_BODY, request_max_body_size=None)
def post_rotate(
    request: Request[Any, Any, Any], service: NamedDependency[Service], sent: NamedDependency[bytes]
) -> Response[RotatedKey]:
    """Make the key that takes the place of the one that asks, which goes on working for the overlap."""
    with service.lake.engine.connect() as connection:
        caller = service.authorise(connection, request)
    _require_same_site(request, service)
    asked = _parse(sent, RotateRequest)
    if not caller.public_id:
        raise refuse(
            HTTP_403_FORBIDDEN,
            "demo_key",
            "The demo key belongs to everybody, so nobody can rotate it.",
            "Sign up for a key of your own: POST /api/v1/signup.",
        )
    service.admit(request, caller)
    try:
        with service.admit_new_key(request), begin_write(service.lake.engine) as connection:
            made = rotate_key(connection, service.secrets.pepper, caller.public_id, asked.overlap_hours)
    except InvalidInputError as error:
        status = HTTP_409_CONFLICT if error.code in _CONFLICTS else HTTP_400_BAD_REQUEST
        raise RequestError(status, [error]) from None
    answer = RotatedKey(
        key=made.key,
        public_id=public_id_of(made.key),
        plan=caller.plan.name,
        expires_at=None if made.expires_at is None else _iso(made.expires_at),
        replaces=caller.public_id,
        replaced_expires_at=_iso(made.replaced_expires_at),
        request_id=request_id(request.scope),
    )
    return Response(answer, headers=_NO_STORE)


def _require_same_site(request: Request[Any, Any, Any], service: Service) -> None:
    """Refuse what a browser sends for a page of another site; programs send no `Origin`."""
    origin = request.headers.get("origin")
    ours = {host_of(request), (service.settings.public_url or "").partition("://")[2].partition("/")[0]}
    if origin is not None and origin.partition("://")[2].lower() not in {host.lower() for host in ours if host}:
        raise refuse(
            HTTP_403_FORBIDDEN,
            "cross_site",
            "A page of another site cannot do this.",
            "Send the request from a program, or from a page of this server.",
        )


_Asked = TypeVar("_Asked", SignupRequest, RotateRequest)


def _parse(sent: bytes, kind: type[_Asked]) -> _Asked:
    try:
        return msgspec.json.decode(sent or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        fields = " and ".join(field.name for field in msgspec.structs.fields(kind))
        raise refuse(
            HTTP_400_BAD_REQUEST,
            "bad_body",
            f"The body is not what this endpoint reads: {str(error)[:_SHOWN]}.",
            f"Send nothing, or a JSON object with the field {fields}.",
        ) from None


def _last_days() -> list[date]:
    today = datetime.now(UTC).date()
    return [today - timedelta(days=age) for age in range(_USAGE_DAYS)]


def _iso(us: int) -> str:
    return f"{time_at(us):%Y-%m-%dT%H:%M:%SZ}"
