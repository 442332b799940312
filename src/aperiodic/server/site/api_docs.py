"""The API's documentation as a page: `/api-docs`, made from the same declarations as the OpenAPI document."""

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency

from aperiodic.server.endpoints import TAGS, Answer, Endpoint, Parameter
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.links.signing import LINK_LIFETIME_S, RAW_LINK_LIFETIME_S
from aperiodic.server.openapi import Documents
from aperiodic.server.openapi.document import struct_schemas
from aperiodic.server.service import Service
from aperiodic.server.site.rendering import render_page
from aperiodic.server.stream.messages import CLOSE_CODES, MESSAGES, REFUSALS, Message

__all__ = ["AnswerField", "answer_example", "answer_fields", "constraints", "curl_line", "get_api_docs"]

_SCHEMAS: Final = "#/components/schemas/"
_DEEPEST: Final = 4


@dataclass(frozen=True, slots=True)
class AnswerField:
    """A field of an answer.

    Attributes:
        path: Where it stands: `files[].url`.
        type: JSON type in words.
        description: What it means, as Markdown.
    """

    path: str
    type: str
    description: str


@get("/api-docs", sync_to_thread=True)
def get_api_docs(
    request: Request[Any, Any, Any], service: NamedDependency[Service], documents: NamedDependency[Documents]
) -> Response[bytes]:
    """Answer with the documentation of every endpoint."""
    key = service.settings.demo_key or "YOUR-KEY"
    return render_page(
        request,
        service,
        "api_docs.html",
        title="API docs",
        description="Every endpoint with its parameters, an example request, the answer and every error.",
        groups={tag: [endpoint for endpoint in documents.endpoints if endpoint.tag == tag] for tag in TAGS},
        tags=TAGS,
        error_codes=list(ErrorCode),
        answer_example=answer_example,
        answer_fields=answer_fields,
        constraints=constraints,
        curl=lambda endpoint, origin: curl_line(endpoint, origin, key),
        stream_messages=MESSAGES,
        stream_words=_message_words,
        stream_example=lambda message: json.dumps(message.fields, indent=2, ensure_ascii=False) + "\n",
        stream_fields=_message_fields,
        stream_refusals=REFUSALS,
        close_codes=CLOSE_CODES,
        lifetimes=(LINK_LIFETIME_S, RAW_LINK_LIFETIME_S),
    )


def curl_line(endpoint: Endpoint, origin: str, preview_key: str) -> str:
    """Return the request for an endpoint as a command that can be pasted into a shell.

    Args:
        endpoint: What is asked.
        origin: Scheme and host of the server.
        preview_key: A key for the preview endpoints; others need one of the reader's own.
    """
    if any(parameter.name == "signature" for parameter in endpoint.parameters):  # nobody can make up a link
        return f'curl {"--head" if endpoint.method == "HEAD" else "--output data.parquet"} "YOUR-LINK"\n'
    path = endpoint.path
    for parameter in _of_place(endpoint, "path"):
        path = path.replace(f"{{{parameter.name}}}", quote(parameter.example, safe="/"))
    query = urlencode(
        [
            (item.name, item.example)
            for item in _of_place(endpoint, "query")
            if item.required or item.name in endpoint.shown
        ],
        safe=":/",
    )
    parts = [{"GET": "curl", "HEAD": "curl --head", "POST": "curl -X POST"}[endpoint.method]]
    if endpoint.needs_key:
        parts.append(f'-H "X-API-KEY: {preview_key if endpoint.security == "demo_key" else "YOUR-KEY"}"')
    elif endpoint.security == "metrics_token":
        parts.append('-H "Authorization: Bearer YOUR-TOKEN"')
    if endpoint.body is not None:
        parts += ['-H "Content-Type: application/json"', f"-d '{msgspec.json.encode(endpoint.body).decode()}'"]
    parts.append(f'"{origin}{path}{"?" if query else ""}{query}"')
    return " \\\n  ".join(parts) + "\n"


def constraints(parameter: Parameter) -> list[tuple[str, str]]:
    """Return what a parameter's values must be, as pairs of words and code; either may be empty."""
    schema = parameter.schema
    if "enum" in schema:
        return [("one of", ", ".join(schema["enum"]))]
    told = []
    if schema.get("format") == "date":
        told.append(("a day", "YYYY-MM-DD"))
    elif "pattern" in schema:
        told.append(("matches", schema["pattern"]))
    if "maxLength" in schema:
        told.append((f"at most {schema['maxLength']} characters", ""))
    return told or [("text", "")]


def _of_place(endpoint: Endpoint, place: str) -> list[Parameter]:
    return [parameter for parameter in endpoint.parameters if parameter.place == place]


def answer_example(answer: Answer) -> tuple[str, str] | None:
    """Return language and text of an answer's example; None when the answer has none."""
    if isinstance(answer.example, msgspec.Struct):
        return "json", json.dumps(msgspec.to_builtins(answer.example), indent=2, ensure_ascii=False) + "\n"
    return None if answer.example is None else ("text", answer.example)


def answer_fields(answer: Answer) -> tuple[AnswerField, ...]:
    """Return the fields of an answer, those of nested objects too; empty when it is no JSON object."""
    return _fields_of(type(answer.example)) if isinstance(answer.example, msgspec.Struct) else ()


def _message_words(message: Message) -> str:
    """Return what a message of the stream means."""
    return (inspect.getdoc(type(message.example)) or "").partition("\n\nAttributes:")[0]


def _message_fields(message: Message) -> tuple[AnswerField, ...]:
    """Return the fields of a message of the stream."""
    kind: type[msgspec.Struct] = type(message.example)
    return _fields_of(kind)


@cache
def _fields_of(kind: type[msgspec.Struct]) -> tuple[AnswerField, ...]:
    return tuple(_walk(struct_schemas([kind]), kind.__name__, "", 0))


def _walk(schemas: Mapping[str, Any], name: str, prefix: str, depth: int) -> Iterator[AnswerField]:
    for field, schema in schemas[name]["properties"].items():
        words, suffix, nested = _type(schema)
        yield AnswerField(prefix + field, words, schema.get("description", ""))
        if nested is not None and depth < _DEEPEST:
            yield from _walk(schemas, nested, f"{prefix}{field}{suffix}.", depth + 1)


def _type(schema: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """Return a type in words, how a path goes on below it, and the name of the object that is there, if any."""
    if "$ref" in schema:
        return "object", "", schema["$ref"].removeprefix(_SCHEMAS)
    if "anyOf" in schema:
        members = [member for member in schema["anyOf"] if member != {"type": "null"}]
        found = [_type(member) for member in members]
        words = " or ".join(words for words, _, _ in found)
        _, suffix, nested = max(found, key=lambda each: each[2] is not None)
        return (words if len(members) == len(schema["anyOf"]) else f"{words} or null"), suffix, nested
    if "enum" in schema:
        return "string", "", None
    if schema["type"] == "array":
        words, suffix, nested = _type(schema["items"])
        return f"list of {words}s", f"[]{suffix}", nested
    if schema["type"] == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        words, suffix, nested = _type(schema["additionalProperties"])
        return f"map to {words}", f".*{suffix}", nested
    kinds = schema["type"]
    return schema.get("format", kinds if isinstance(kinds, str) else " or ".join(kinds)), "", None
