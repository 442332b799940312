"""What holders of keys do for themselves: sign up, look at their account, rotate their key.

These are the only routes that change anything on request. A page of another site cannot use them: a browser lets it
send neither the header `X-API-KEY` nor, since `Origin` is checked, a sign-up in a visitor's name.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency, Provide
from litestar.exceptions import InternalServerException

from aperiodic.accounts.keys import find_key, public_id_of, rotate_key, sign_up
from aperiodic.accounts.plans import FREE
from aperiodic.accounts.usage import UsageDay, account_usage
from aperiodic.lake.ledger import begin_write
from aperiodic.market import InvalidInputError
from aperiodic.market.time import time_at
from aperiodic.server.api.example_values import REQUEST_ID
from aperiodic.server.endpoints import LISTED, Answer, Endpoint, serve
from aperiodic.server.error_codes import ErrorCode
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
                raise refuse(ErrorCode.BODY_TOO_LARGE, most=_MAX_BODY)
    except InternalServerException:
        # What the framework raises for a client that went away or whose chunks are none: no defect of the server.
        reason = "it broke off, or its chunks cannot be read"
        raise refuse(ErrorCode.BAD_BODY, reason=reason, instead="Send it again.") from None
    return body


_BODY: Final = {"sent": Provide(_read_body)}
_BODY_ERRORS: Final = (ErrorCode.BAD_BODY, ErrorCode.BODY_TOO_LARGE, ErrorCode.CROSS_SITE)

_NEW_KEY_EXAMPLE: Final = NewKey(
    key="ap_live_0123456789ab_(40 letters and digits)", public_id="0123456789ab", plan="free", request_id=REQUEST_ID
)
_ROTATED_EXAMPLE: Final = RotatedKey(
    key="ap_live_ba9876543210_(40 letters and digits)",
    public_id="ba9876543210",
    plan="pro",
    expires_at=None,
    replaces="0123456789ab",
    replaced_expires_at="2025-06-02T00:00:00Z",
    request_id=REQUEST_ID,
)
_ACCOUNT_EXAMPLE: Final = AccountAnswer(
    public_id="0123456789ab",
    account="research",
    label="notebook",
    plan=PlanEntry(name="pro", tier=2, sub_minute=False, raw=False, live=2, requests_per_minute=600),
    scopes=["bars", "raw"],
    expires_at=None,
    replaced_by=None,
    usage=[UsageDay("2025-06-01", 14, 168, 69_350_904)],
    limits=Limits(requests_per_minute=600, remaining=599, reset_s=1),
    request_id=REQUEST_ID,
)


@serve(
    Endpoint(
        method="POST",
        route="/api/v1/signup",
        name="sign_up",
        tag="account",
        summary="Make a free key",
        description="Makes an account with a key of the plan `free`, which opens the preview. Needs no key, is limited "
        "by address, and can be switched off by the operator. The key is shown this once.",
        body=SignupRequest(label="notebook"),
        answers=(Answer("The key.", _NEW_KEY_EXAMPLE, status=201, headers=("Cache-Control",)),),
        refusals=(
            ErrorCode.SIGNUP_CLOSED,
            ErrorCode.BAD_LABEL,
            *_BODY_ERRORS,
            ErrorCode.RATE_LIMITED,
            ErrorCode.UNAVAILABLE,
        ),
        security=None,
    ),
    sync_to_thread=True,
    dependencies=_BODY,
    request_max_body_size=None,
)
def post_signup(
    request: Request[Any, Any, Any], service: NamedDependency[Service], sent: NamedDependency[bytes]
) -> Response[NewKey]:
    """Make an account with a key of the plan free; needs no key, and is limited by address."""
    if not service.settings.signup:
        raise refuse(ErrorCode.SIGNUP_CLOSED)
    _require_same_site(request, service)
    asked = _parse(sent, SignupRequest)
    try:
        with service.admit_new_key(request), begin_write(service.lake.engine) as connection:
            key = sign_up(connection, service.secrets.pepper, asked.label)
    except InvalidInputError as error:
        raise RequestError([error]) from None
    answer = NewKey(key, public_id_of(key), FREE, request_id(request.scope))
    return Response(answer, headers=_NO_STORE)


@serve(
    Endpoint(
        route="/api/v1/account",
        name="get_account",
        tag="account",
        summary="Key, plan, limits, usage",
        description="The key that asks, the plan of its account, how its rate limit stands, and what the account was "
        "issued in the last 30 days.",
        answers=(Answer("The key and its account.", _ACCOUNT_EXAMPLE, headers=LISTED),),
    ),
    sync_to_thread=True,
)
def get_account(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[AccountAnswer]:
    """Answer with the key that asks, its plan, its limits and the usage of its account."""
    with service.reading() as ledger:
        caller = service.authorise(ledger, request)
        connection = ledger.connection
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


@serve(
    Endpoint(
        method="POST",
        route="/api/v1/account/rotate",
        name="rotate_key",
        tag="account",
        summary="Replace a key",
        description="Makes the key that takes the place of the one that asks. The old one goes on working for the "
        "overlap. The new key is shown this once.",
        body=RotateRequest(overlap_hours=24.0),
        answers=(Answer("The new key.", _ROTATED_EXAMPLE, status=201, headers=LISTED),),
        refusals=(
            ErrorCode.DEMO_KEY,
            ErrorCode.BAD_OVERLAP,
            ErrorCode.ALREADY_ROTATED,
            ErrorCode.KEY_NOT_VALID,
            *_BODY_ERRORS,
        ),
    ),
    sync_to_thread=True,
    dependencies=_BODY,
    request_max_body_size=None,
)
def post_rotate(
    request: Request[Any, Any, Any], service: NamedDependency[Service], sent: NamedDependency[bytes]
) -> Response[RotatedKey]:
    """Make the key that takes the place of the one that asks, which goes on working for the overlap."""
    with service.reading() as ledger:
        caller = service.authorise(ledger, request)
    _require_same_site(request, service)
    asked = _parse(sent, RotateRequest)
    if not caller.public_id:
        raise refuse(ErrorCode.DEMO_KEY)
    service.admit(request, caller)
    try:
        with service.admit_new_key(request), begin_write(service.lake.engine) as connection:
            made = rotate_key(connection, service.secrets.pepper, caller.public_id, asked.overlap_hours)
    except InvalidInputError as error:
        raise RequestError([error]) from None
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
        raise refuse(ErrorCode.CROSS_SITE)


_Asked = TypeVar("_Asked", SignupRequest, RotateRequest)


def _parse(sent: bytes, kind: type[_Asked]) -> _Asked:
    try:
        return msgspec.json.decode(sent or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        fields = " and ".join(field.name for field in msgspec.structs.fields(kind))
        instead = f"Send nothing, or a JSON object with the field {fields}."
        raise refuse(ErrorCode.BAD_BODY, reason=str(error)[:_SHOWN], instead=instead) from None


def _last_days() -> list[date]:
    today = datetime.now(UTC).date()
    return [today - timedelta(days=age) for age in range(_USAGE_DAYS)]


def _iso(us: int) -> str:
    return f"{time_at(us):%Y-%m-%dT%H:%M:%SZ}"
