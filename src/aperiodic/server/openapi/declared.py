"""What is declared of an endpoint, so that its documentation can be made and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import msgspec

__all__ = ["Answer", "Endpoint", "Failure", "Parameter"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value that a request carries.

    Attributes:
        name: Its name.
        place: Where it stands.
        description: What it means.
        schema: JSON Schema of its values.
        example: A valid value.
        required: Whether a request needs it.
    """

    name: str
    place: Literal["path", "query", "header"]
    description: str
    schema: Mapping[str, Any]
    example: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no error.

    Attributes:
        description: What it holds.
        example: An answer; a struct's type is the schema, text and None are what they are.
        status: HTTP status.
        media_type: Media type of the body.
        headers: Names of its headers, beside those of every answer.
    """

    description: str
    example: msgspec.Struct | str | None
    status: int = 200
    media_type: str = "application/json"
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """One machine code of an error answer.

    Attributes:
        code: The code.
        status: HTTP status.
        message: What is said, by example.
        hint: What to do, by example.
    """

    code: str
    status: int
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One operation of the server.

    Attributes:
        method: HTTP method.
        path: Template of its path.
        name: Identifies it.
        tag: Group in the document.
        summary: What it does, in a few words.
        description: All that a reader must know beyond its parameters.
        answers: Answers that are no errors, the usual one first.
        failures: Codes of its errors, in the order in which they are checked.
        parameters: What a request carries beside the key.
        body: Example of the body; its type is the schema.
        security: Scheme that the request needs.
    """

    method: Literal["GET", "HEAD", "POST"]
    path: str
    name: str
    tag: str
    summary: str
    description: str
    answers: tuple[Answer, ...]
    failures: tuple[str, ...]
    parameters: tuple[Parameter, ...] = ()
    body: msgspec.Struct | None = None
    security: Literal["key", "metrics_token"] | None = "key"
