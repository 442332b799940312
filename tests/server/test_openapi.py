from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import jsonschema_rs
import pytest
from litestar import Router
from tests.server.in_process import ENDPOINTS

import aperiodic.server
from aperiodic.market import AperiodicDataError
from aperiodic.server import create_app
from aperiodic.server.endpoints import TAGS
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.openapi.document import openapi_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.conftest import Installation, RunningServer

PATH: Final = "/api/v1/openapi.json"
DOCUMENT: Final = openapi_document(None, ENDPOINTS)
SOURCES: Final = [
    source
    for source in sorted(Path(inspect.getfile(aperiodic.server)).parent.rglob("*.py"))
    if "site" not in source.parts
]
OF_THE_LAKE: Final = {"bad_label", "bad_overlap", "already_rotated", "key_not_valid", "bad_symbol"}
"""Codes of errors that the lake and the market raise and the server hands on."""

OPERATIONS: Final = [
    (f"{method.upper()} {path}", operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]


def contents(operation: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Every schema of a body with every example of it."""
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for body in [*bodies, *operation["responses"].values()]:
        for content in body.get("content", {}).values():
            examples = [example["value"] for example in content.get("examples", {}).values()]
            for example in [*examples, *([content["example"]] if "example" in content else [])]:
                yield content["schema"], example


@pytest.mark.parametrize("operation", [operation for _, operation in OPERATIONS], ids=[name for name, _ in OPERATIONS])
def test_every_example_is_valid(operation: dict[str, Any]) -> None:
    checked = 0
    for schema, example in contents(operation):
        whole = {**schema, "components": DOCUMENT["components"]}
        jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(example)
        checked += 1
    for parameter in operation["parameters"]:
        jsonschema_rs.Draft202012Validator(parameter["schema"], validate_formats=True).validate(parameter["example"])
    assert checked or operation["operationId"] == "head_file"


def test_a_wrong_example_would_be_found() -> None:
    schema, example = next(contents(DOCUMENT["paths"]["/api/v1/data/{metric}"]["get"]))
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    assert validator.is_valid(example)
    assert not validator.is_valid({**example, "files": [{"year": "2025"}]})


def test_every_route_is_documented_and_every_documented_route_exists(installation: Installation) -> None:
    app = create_app(installation.lake, installation.settings)
    served = {
        (method, route.path_format)
        for route in app.routes
        for handler in getattr(route, "route_handlers", [])
        if Router not in map(type, handler.ownership_layers)  # the site's pages are for people
        for method in handler.http_methods
        if method != "OPTIONS"
    }
    assert served == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}


def test_every_code_that_the_server_answers_with_is_declared() -> None:
    literal = {code for source in SOURCES for code in codes(ast.parse(source.read_text(encoding="utf-8")))}
    assert not literal
    # Reading a value of a closed set fails with unknown_<kind>, wherever that is declared.
    unknown = {f"unknown_{kind}" for kind in ("timestamp", "interval", "exchange", "metric")}
    raised = {name for source in SOURCES for name in re.findall(r"ErrorCode\.([A-Z_]+)", source.read_text("utf-8"))}
    declared = {code.name for code in ErrorCode}
    assert declared == raised | {code.upper() for code in unknown | OF_THE_LAKE}


def codes(tree: ast.Module) -> Iterator[str]:
    """The machine codes that a module writes out instead of taking them from the enum; not those of start-up."""
    for node in ast.walk(tree):
        name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
        raised = name.endswith("Error") and name != "LakeError"
        for keyword in node.keywords if isinstance(node, ast.Call) and raised else ():
            if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                yield str(keyword.value.value)


def test_every_code_is_answered_by_an_endpoint_but_those_of_no_endpoint() -> None:
    answered = {code for endpoint in ENDPOINTS for code in endpoint.errors}
    assert set(ErrorCode) - answered == {
        *(ErrorCode.UNKNOWN_PATH, ErrorCode.METHOD_NOT_ALLOWED, ErrorCode.REQUEST_TIMEOUT),
        *(ErrorCode.HEADERS_TOO_LARGE, ErrorCode.TOO_MANY_CONNECTIONS),
        # Those of the live stream, which is no HTTP endpoint.
        *(ErrorCode.UPGRADE_REQUIRED, ErrorCode.CLIENT_OBSOLETE, ErrorCode.TOO_MANY_STREAMS),
    }


@pytest.mark.parametrize("code", ErrorCode, ids=lambda code: code.code)
def test_the_words_of_every_code_are_whole(code: ErrorCode) -> None:
    assert code.message.endswith(".")
    assert code.hint
    assert ErrorCode.of(AperiodicDataError("", code=code.code)) is code


def test_the_document_says_what_each_error_status_means() -> None:
    responses = DOCUMENT["paths"]["/api/v1/data/{metric}"]["get"]["responses"]
    assert set(responses) == {"200", "400", "401", "403", "404", "410", "414", "429", "500", "503"}
    assert set(responses["403"]["content"]["application/json"]["examples"]) == {
        "metric_not_in_plan",
        "interval_not_in_plan",
        "scope_missing",
    }
    assert "Retry-After" in responses["429"]["headers"]
    assert "Retry-After" in responses["503"]["headers"]


def test_every_property_parameter_and_operation_is_described() -> None:
    missing = [
        f"{name}.{property_}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for property_, described in schema["properties"].items()
        if not described.get("description")
    ]
    assert not missing
    for _, operation in OPERATIONS:
        assert operation["summary"]
        assert operation["description"].endswith(".")
        assert operation["tags"][0] in TAGS


def test_operation_ids_are_unique() -> None:
    names = [operation["operationId"] for _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


def test_descriptions_are_the_words_of_the_docstrings() -> None:
    entry = DOCUMENT["components"]["schemas"]["FileEntry"]
    assert entry["description"] == "One published calendar month, or a day that is not over."
    assert entry["properties"]["sha256"]["description"] == "Hex digest of the file."
    assert "Attributes" not in str(DOCUMENT["components"]["schemas"])


def test_the_example_parameters_are_answered(server: RunningServer, installation: Installation) -> None:
    headers = {"X-API-KEY": installation.keys["prime"]}
    refused = {}
    for endpoint in ENDPOINTS:
        if endpoint.method != "GET" or not endpoint.path.startswith("/api/v1/"):
            continue
        wanted = [part for part in endpoint.parameters if part.required or part.name in endpoint.shown]
        path = endpoint.path.format(**{part.name: part.example for part in wanted if part.place == "path"})
        query = {part.name: part.example for part in wanted if part.place == "query"}
        answer = httpx.get(server.url + path, params=query, headers=headers)
        if answer.status_code != 200:
            refused[endpoint.name] = answer.json()["code"]
    # The plan prime has no raw ticks.
    assert refused == {"get_raw": "raw_not_in_plan"}


def test_the_document_is_served_and_can_be_revalidated(server: RunningServer) -> None:
    answer = httpx.get(server.url + PATH)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT
    again = httpx.get(server.url + PATH, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_address_of_the_installation_is_named() -> None:
    assert openapi_document("https://data.example/", ENDPOINTS)["servers"] == [{"url": "https://data.example"}]
    assert DOCUMENT["servers"] == [{"url": "/"}]
