"""The OpenAPI 3.1 document, made from the declared endpoints and from the structs that they answer with."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from aperiodic._version import __version__
from aperiodic.catalog import DATASETS
from aperiodic.market import Clock, Interval
from aperiodic.server.api.example_values import REQUEST_ID
from aperiodic.server.endpoints import TAGS
from aperiodic.server.errors import ErrorBody

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aperiodic.server.endpoints import Answer, Endpoint, Parameter
    from aperiodic.server.error_codes import ErrorCode

__all__ = ["openapi_document", "struct_schemas"]

_SCHEMAS: Final = "#/components/schemas/{name}"
_ATTRIBUTE: Final = re.compile(r"^ {4}(?P<name>\w+): (?P<text>.*(?:\n {8,}.*)*)", re.MULTILINE)
_SECURITY: Final = {
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-KEY",
        "description": "A key as it was shown when it was made.",
    },
    "metrics_token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The operator's token; where none is set, programs of the server's host need none.",
    },
}
# Without a token of the operator's, programs of the server's host need none: {} stands for that.
_NEEDED: Final[dict[str | None, list[dict[str, list[str]]]]] = {
    "key": [{"key": []}],
    "demo_key": [{"key": []}],
    "metrics_token": [{"metrics_token": []}, {}],
    None: [],
}
_ON_EVERY_ANSWER: Final = ("X-Request-ID",)
_ON_FAILURES: Final = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    416: ("Content-Range",),
    429: ("Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
    503: ("Retry-After",),
}
_HEADERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "X-Request-ID": (
        "Names the request: its own id from this header if that is 1 to 64 of A-Z a-z 0-9 . _ -, else a new one.",
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    ),
    "Retry-After": ("Whole seconds to wait before the next try.", {"type": "integer", "minimum": 0}),
    "RateLimit-Limit": ("Requests a minute.", {"type": "integer", "minimum": 1}),
    "RateLimit-Remaining": ("Requests that would be admitted right now.", {"type": "integer", "minimum": 0}),
    "RateLimit-Reset": ("Seconds until all of the limit is there again.", {"type": "integer", "minimum": 0}),
    "WWW-Authenticate": ("The scheme that is needed.", {"type": "string"}),
    "Allow": ("Methods that the path answers.", {"type": "string"}),
    "Accept-Ranges": ("`bytes`.", {"type": "string", "const": "bytes"}),
    "Cache-Control": ("How long the answer may be kept.", {"type": "string"}),
    "Content-Disposition": ("Name to save the file under.", {"type": "string"}),
    "Content-Range": ("Which bytes of how many.", {"type": "string"}),
    "ETag": ("Names the content, for If-None-Match and If-Range.", {"type": "string"}),
}
_DESCRIPTION: Final = f"""\
Crypto market-microstructure data as monthly Parquet files: {{datasets}} datasets at {len(Interval)} intervals and on \
{len(Clock)} clocks.

A data endpoint answers with links. A link needs no key, names one file, and is valid for 300 s (raw ticks: 3,600 s).

Checks come in this order: key (401), parameters (400, 404), plan (403), rate (429). All problems with the parameters
are reported together in `details`; a wrong value names the nearest valid one. A trailing slash makes no difference,
and there are no redirects."""


def openapi_document(public_url: str | None, endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the document.

    Args:
        endpoints: What the server answers.
        public_url: Address of the server, or None for the address that the document was fetched from.
    """
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Aperiodic",
            "version": __version__,
            "description": _DESCRIPTION.format(datasets=len(DATASETS)),
        },
        "servers": [{"url": (public_url or "/").rstrip("/") or "/"}],
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": _schemas(endpoints),
            "securitySchemes": _SECURITY,
            "headers": {
                name: {"description": description, "schema": schema} for name, (description, schema) in _HEADERS.items()
            },
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "description": endpoint.description,
        "parameters": [_parameter(parameter) for parameter in endpoint.parameters],
        "responses": {str(answer.status): _answer(answer) for answer in endpoint.answers},
        "security": _NEEDED[endpoint.security],
    }
    if endpoint.body is not None:
        operation["requestBody"] = {
            "description": "Nothing at all stands for an empty object.",
            "content": {"application/json": _content(endpoint.body)},
        }
    for status, codes in endpoint.errors_by_status.items():
        operation["responses"][str(status)] = _refusal(status, codes, has_body=endpoint.method != "HEAD")
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.required,
        "schema": dict(parameter.schema),
        "example": parameter.example if parameter.most == 1 else [parameter.example],
    }


def _answer(answer: Answer) -> dict[str, Any]:
    described = {"description": answer.description, "headers": _headers(_ON_EVERY_ANSWER + answer.headers)}
    if answer.example is None:
        return described
    binary = {"schema": {"type": "string", "format": "binary"}}
    return described | {"content": {answer.media_type: _content(answer.example), **dict.fromkeys(answer.forms, binary)}}


def _content(example: msgspec.Struct | str) -> dict[str, Any]:
    if isinstance(example, str):
        return {"schema": {"type": "string"}, "example": example}
    schema = {"$ref": _reference(type(example))}
    return {"schema": schema, "example": msgspec.to_builtins(example)}


def _refusal(status: int, codes: list[ErrorCode], *, has_body: bool) -> dict[str, Any]:
    described = {
        "description": " ".join(f"`{code.code}`: {code.message}" for code in codes),
        "headers": _headers(_ON_EVERY_ANSWER + _ON_FAILURES.get(status, ())),
    }
    if not has_body:
        return described
    schema = {
        "allOf": [
            {"$ref": _reference(ErrorBody)},
            {"properties": {"code": {"enum": [code.code for code in codes]}}},
        ],
    }
    examples = {code.code: {"value": msgspec.to_builtins(_error_body(code))} for code in codes}
    return described | {"content": {"application/json": {"schema": schema, "examples": examples}}}


def _error_body(code: ErrorCode) -> ErrorBody:
    details = [f"{code.message} {code.hint}"]
    return ErrorBody(code.message, details, code.code, code.hint, REQUEST_ID)


def _reference(kind: type[msgspec.Struct]) -> str:
    return _SCHEMAS.format(name=kind.__name__)


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _schemas(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    examples = [answer.example for endpoint in endpoints for answer in endpoint.answers]
    bodies = [endpoint.body for endpoint in endpoints]
    types = {type(value): None for value in [*examples, *bodies] if isinstance(value, msgspec.Struct)}
    return struct_schemas([ErrorBody, *types])


def struct_schemas(types: Iterable[type[msgspec.Struct]]) -> dict[str, Any]:
    """Return the JSON Schemas of structs and of all that they hold, by name, with the words of their docstrings."""
    _, schemas = msgspec.json.schema_components(types, ref_template=_SCHEMAS)
    return {name: _described(schema) for name, schema in schemas.items()}


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """Hand the docstring's section "Attributes" out to the properties that it describes."""
    words, _, attributes = inspect.cleandoc(schema["description"]).partition("\n\nAttributes:\n")
    texts = {match["name"]: " ".join(match["text"].split()) for match in _ATTRIBUTE.finditer(attributes)}
    properties = {
        name: {"description": texts[name], **property_} if name in texts else property_
        for name, property_ in schema["properties"].items()
    }
    return {**schema, "description": words, "properties": properties}
