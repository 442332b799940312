"""What is declared of an endpoint, beside its handler: the documents, the parsing and the route all follow from it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from litestar import route
from litestar.types import Empty

from aperiodic.server.error_codes import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import msgspec
    from litestar.di import Provide
    from litestar.handlers import HTTPRouteHandler
    from litestar.types import EmptyType
    from sqlalchemy import Connection

    from aperiodic.market import AperiodicDataError

__all__ = [
    "LISTED",
    "RATE",
    "TAGS",
    "Answer",
    "Check",
    "Endpoint",
    "Given",
    "Parameter",
    "declared_endpoints",
    "right_path",
    "serve",
]

TAGS: Final = {
    "data": "Links to files: bars and raw ticks.",
    "metadata": "What can be asked for, what is held, and how good it is.",
    "account": "Keys: making, looking up, rotating.",
    "service": "For operators and programs: health, counters, documents.",
}
"""Groups of endpoints."""

RATE: Final = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
"""Headers of every answer that is counted."""

LISTED: Final = (*RATE, "Cache-Control")
"""Headers of answers that are counted and must not be kept."""

_OPTION: Final = "endpoints"
_CONVERTER: Final = re.compile(r"\{(?P<name>\w+):\w+\}")
_API: Final = "/api/v1"
_MOST_SEGMENTS: Final = 8
_KEY: Final = (ErrorCode.MISSING_KEY, ErrorCode.UNKNOWN_KEY, ErrorCode.REVOKED_KEY, ErrorCode.EXPIRED_KEY)
_QUERY: Final = (
    ErrorCode.MISSING_PARAMETER,
    ErrorCode.UNKNOWN_PARAMETER,
    ErrorCode.REPEATED_PARAMETER,
    ErrorCode.TOO_MANY_PARAMETERS,
    ErrorCode.QUERY_TOO_LONG,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One value that a request carries.

    Attributes:
        name: Its name.
        place: Where it stands.
        description: What it means.
        example: A valid value.
        choices: All valid values, where they are a closed set.
        rules: JSON Schema of its values, beside `type` and `choices`.
        parse: Reads a value, and raises InvalidInputError for one that is wrong; None: the handler reads it itself.
        errors: Codes of what `parse` raises.
        required: Whether a request needs it.
        most: How often it may be given; more than once makes its value a tuple.
    """

    name: str
    place: Literal["path", "query", "header"] = "query"
    description: str
    example: str
    choices: Iterable[str] | None = None
    rules: Mapping[str, Any] | None = None
    parse: Callable[[str], Any] | None = None
    errors: tuple[ErrorCode, ...] = ()
    required: bool = True
    most: int = 1

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of its values."""
        closed = {} if self.choices is None else {"enum": [str(choice) for choice in self.choices]}
        one = {"type": "string", **closed, **(self.rules or {})}
        if self.most == 1:
            return one
        return {"type": "array", "items": one, "minItems": 1, "maxItems": self.most}


@dataclass(frozen=True, slots=True)
class Given:
    """What a request has given.

    Attributes:
        values: Values that could be read, by the names of their parameters.
        names: Names of all parameters that were sent.
        connection: Open connection to the ledger.
    """

    values: Mapping[str, Any]
    names: frozenset[str]
    connection: Connection


Finder: TypeAlias = "Callable[[Given], Sequence[AperiodicDataError]]"


@dataclass(frozen=True, slots=True)
class Check:
    """A rule that no parameter can check alone.

    Attributes:
        find: Returns what is wrong.
        errors: Codes of what it returns.
    """

    find: Finder
    errors: tuple[ErrorCode, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no error.

    Attributes:
        description: What it holds.
        example: An answer; a struct's type is the schema, text and None are what they are.
        status: HTTP status.
        media_type: Media type of the body.
        headers: Names of its headers, beside those of every answer.
        forms: Media types of other, binary forms of the body, which the header `Accept` asks for.
    """

    description: str
    example: msgspec.Struct | str | None
    status: int = 200
    media_type: str = "application/json"
    headers: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One operation of the server.

    Attributes:
        method: HTTP method.
        route: Path as the framework reads it, with the kinds of its parts: `/api/v1/data/{metric:str}`.
        name: Identifies it.
        tag: Group in the documents; see `TAGS`.
        summary: What it does, in a few words.
        description: All that a reader must know beyond its parameters.
        answers: Answers that are no errors, the usual one first.
        parameters: What a request carries beside the key.
        checks: Rules between parameters, in the order in which they are reported.
        refusals: Codes of errors that follow from nothing else that is declared, in the order of their checks.
        body: Example of the body; its type is the schema.
        security: What the request needs; the demo key opens what says so, as any other key does.
        shown: Optional parameters that an example needs nevertheless.
    """

    method: Literal["GET", "HEAD", "POST"] = "GET"
    route: str
    name: str
    tag: str
    summary: str
    description: str
    answers: tuple[Answer, ...]
    parameters: tuple[Parameter, ...] = ()
    checks: tuple[Check, ...] = ()
    refusals: tuple[ErrorCode, ...] = ()
    body: msgspec.Struct | None = None
    security: Literal["key", "demo_key", "metrics_token"] | None = "key"
    shown: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Template of its path."""
        return _CONVERTER.sub(r"{\g<name>}", self.route)

    @property
    def needs_key(self) -> bool:
        """Whether a request needs the header `X-API-KEY`."""
        return self.security in {"key", "demo_key"}

    @cached_property
    def errors(self) -> tuple[ErrorCode, ...]:
        """Codes of all errors that it can answer with."""
        read = [parameter for parameter in self.parameters if parameter.parse is not None]
        found = [
            *(_KEY if self.needs_key else ()),
            *(code for parameter in read for code in parameter.errors),
            *(code for check in self.checks for code in check.errors),
            *self.refusals,
            *(_QUERY if read else ()),
            *((ErrorCode.REPEATED_TOO_OFTEN,) if any(parameter.most > 1 for parameter in read) else ()),
            *((ErrorCode.RATE_LIMITED, ErrorCode.UNAVAILABLE) if self.needs_key else ()),
            ErrorCode.BAD_REQUEST,
            ErrorCode.INTERNAL_ERROR,
        ]
        return tuple(dict.fromkeys(found))

    @property
    def errors_by_status(self) -> dict[int, list[ErrorCode]]:
        """Its errors by HTTP status, ascending."""
        ordered = sorted(self.errors, key=lambda code: code.status)
        return {status: list(codes) for status, codes in groupby(ordered, key=lambda code: code.status)}

    def head(self, name: str, summary: str, description: str) -> Endpoint:
        """Return the same operation for the method HEAD, whose answers have no body.

        Args:
            name: Identifies it.
            summary: What it does, in a few words.
            description: What the usual answer holds.
        """
        usual, *others = self.answers
        answers = [replace(usual, description=description), *others]
        return replace(
            self,
            method="HEAD",
            name=name,
            summary=summary,
            answers=tuple(replace(answer, example=None) for answer in answers),
        )


def serve(
    *endpoints: Endpoint,
    sync_to_thread: bool | None = None,
    dependencies: Mapping[str, Provide] | None = None,
    request_max_body_size: int | EmptyType | None = Empty,
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Declare a function as the handler of endpoints with one path and different methods.

    Args:
        *endpoints: What it answers.
        sync_to_thread: Whether it runs on a thread; None for a coroutine.
        dependencies: What it is given by name, beside what the application gives to all.
        request_max_body_size: Most bytes of a body; None when the handler bounds it.
    """
    methods = [endpoint.method for endpoint in endpoints]
    return route(
        endpoints[0].route,
        http_method=methods,
        status_code=endpoints[0].answers[0].status,
        opt={_OPTION: endpoints},
        sync_to_thread=sync_to_thread,
        dependencies=dependencies,
        request_max_body_size=request_max_body_size,
    )


def declared_endpoints(handlers: Iterable[HTTPRouteHandler]) -> tuple[Endpoint, ...]:
    """Return the endpoints of handlers, in their order."""
    return tuple(endpoint for handler in handlers for endpoint in handler.opt.get(_OPTION, ()))


def right_path(path: str, endpoints: Iterable[Endpoint]) -> str | None:
    """Return the template of the endpoint that a path means which lacks `/api/v1` or has something else instead."""
    segments = path.split("/")[1:]
    if len(segments) > _MOST_SEGMENTS:
        return None
    of_api = [endpoint.path for endpoint in endpoints if endpoint.path.startswith(f"{_API}/")]
    meant = (f"{_API}/{'/'.join(segments[start:])}" for start in range(len(segments)))
    for candidate in meant:
        # Fixed words first: `/data/preview/{metric}` before `/data/raw/{dataset}` and its like.
        for template in sorted(of_api, key=lambda template: template.count("{")):
            if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), candidate):
                return template
    return None
