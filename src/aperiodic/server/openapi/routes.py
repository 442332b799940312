"""The documents as routes: `/api/v1/openapi.json`, `/api/v1/asyncapi.json`, `/llms.txt`, `/llms-full.txt`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Self

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_304_NOT_MODIFIED

from aperiodic.accounts.plans import Plan, list_plans
from aperiodic.lake import Lake
from aperiodic.server.api.parameters import IF_NONE_MATCH
from aperiodic.server.endpoints import Answer, Endpoint, serve
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.middleware.conditional_requests import is_known, strong_tag
from aperiodic.server.openapi.asyncapi import asyncapi_document
from aperiodic.server.openapi.document import openapi_document
from aperiodic.server.openapi.llms import llms_full_text, llms_text
from aperiodic.server.settings import ServerSettings

__all__ = ["Documents", "get_asyncapi", "get_llms", "get_llms_full", "get_openapi"]

_TEXT: Final = "text/plain"
_KEPT: Final = "public, max-age=300"
_REVALIDATED: Final = ("ETag", "Cache-Control")


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is sent.

    Attributes:
        body: Its bytes.
        tag: Names them.
    """

    body: bytes
    tag: str

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Return a document of these bytes."""
        return cls(body, strong_tag(body))


class Documents:
    """The documents of one installation, each made when it is first asked for.

    Attributes:
        endpoints: What the server answers.
    """

    def __init__(self, lake: Lake, settings: ServerSettings, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = endpoints
        self._lake = lake
        self._public_url = settings.public_url
        self._full: tuple[list[Plan], Document] | None = None

    @cached_property
    def openapi(self) -> Document:
        """The OpenAPI document."""
        return Document.of(msgspec.json.encode(openapi_document(self._public_url, self.endpoints)))

    @cached_property
    def asyncapi(self) -> Document:
        """The AsyncAPI document."""
        return Document.of(msgspec.json.encode(asyncapi_document(self._public_url)))

    @cached_property
    def llms(self) -> Document:
        """The overview for language models."""
        return Document.of(llms_text(self._base).encode())

    def llms_full(self) -> Document:
        """Return everything for language models; made again when the plans have changed."""
        with self._lake.engine.connect() as connection:
            plans = list_plans(connection)
        if self._full is None or self._full[0] != plans:
            self._full = plans, Document.of(llms_full_text(self._base, plans, self.endpoints).encode())
        return self._full[1]

    @property
    def _base(self) -> str:
        return (self._public_url or "").rstrip("/")


_OPENAPI: Final = Endpoint(
    route="/api/v1/openapi.json",
    name="get_openapi",
    tag="service",
    summary="This document",
    description="All endpoints, parameters, answers and errors as OpenAPI 3.1.",
    parameters=(IF_NONE_MATCH,),
    answers=(
        Answer("The document.", None, headers=_REVALIDATED),
        Answer("The client has it already.", None, status=304, headers=_REVALIDATED),
    ),
    security=None,
)
_ASYNCAPI: Final = replace(
    _OPENAPI,
    route="/api/v1/asyncapi.json",
    name="get_asyncapi",
    summary="The live stream for programs",
    description="The messages of `/v1/stream`, its refusals and its ends as AsyncAPI 3.0.",
)


@serve(_OPENAPI, sync_to_thread=True)
def get_openapi(request: Request[Any, Any, Any], documents: NamedDependency[Documents]) -> Response[bytes]:
    """Answer with the OpenAPI document."""
    return _answer(request, documents.openapi, "application/json")


@serve(_ASYNCAPI, sync_to_thread=True)
def get_asyncapi(request: Request[Any, Any, Any], documents: NamedDependency[Documents]) -> Response[bytes]:
    """Answer with the AsyncAPI document."""
    return _answer(request, documents.asyncapi, "application/json")


_LLMS: Final = Endpoint(
    route="/llms.txt",
    name="get_llms",
    tag="service",
    summary="Overview for language models",
    description="Markdown as of llmstxt.org, made from the catalog.",
    parameters=(IF_NONE_MATCH,),
    answers=(
        Answer("The text.", "# Aperiodic\n", media_type=_TEXT, headers=_REVALIDATED),
        Answer("The client has it already.", None, status=304, headers=_REVALIDATED),
    ),
    refusals=(ErrorCode.UNAVAILABLE,),
    security=None,
)
_LLMS_FULL: Final = replace(
    _LLMS, route="/llms-full.txt", name="get_llms_full", summary="Everything for language models"
)


@serve(_LLMS, sync_to_thread=True)
def get_llms(request: Request[Any, Any, Any], documents: NamedDependency[Documents]) -> Response[bytes]:
    """Answer with the overview for language models."""
    return _answer(request, documents.llms, _TEXT)


@serve(_LLMS_FULL, sync_to_thread=True)
def get_llms_full(request: Request[Any, Any, Any], documents: NamedDependency[Documents]) -> Response[bytes]:
    """Answer with everything for language models."""
    return _answer(request, documents.llms_full(), _TEXT)


def _answer(request: Request[Any, Any, Any], document: Document, media_type: str) -> Response[bytes]:
    headers = {"ETag": document.tag, "Cache-Control": _KEPT}
    if is_known(request, document.tag):
        return Response(b"", status_code=HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(document.body, media_type=media_type, headers=headers)
