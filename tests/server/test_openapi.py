from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import jsonschema_rs
import pytest
from litestar import Router

import aperiodic.server
from aperiodic.server import create_app, errors
from aperiodic.server.openapi.document import openapi_document
from aperiodic.server.openapi.endpoints import ENDPOINTS, TAGS
from aperiodic.server.openapi.error_codes import FAILURES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.conftest import Installation, RunningServer

PATH: Final = "/api/v1/openapi.json"
DOCUMENT: Final = openapi_document(None)
SOURCES: Final = [
    source
    for source in sorted(Path(inspect.getfile(aperiodic.server)).parent.rglob("*.py"))
    if not {"site", "openapi"} & set(source.parts)
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


def test_every_code_that_the_server_answers_with_is_documented_and_no_other() -> None:
    raised = {code for source in SOURCES for code in codes(ast.parse(source.read_text(encoding="utf-8")))}
    of_statuses = {words[0] for words in (*errors._OF_STATUS.values(), errors._WRONG_METHOD)}
    always = {errors._DEFECT[0], errors._UNAVAILABLE[0], "ledger_unavailable", "store_unavailable", "shutting_down"}
    # Reading a value of a closed set fails with unknown_<kind>, wherever that is declared.
    unknown = {f"unknown_{kind}" for kind in ("timestamp", "interval", "exchange", "metric")}
    assert raised | of_statuses | always | unknown | OF_THE_LAKE == set(FAILURES)


def codes(tree: ast.Module) -> Iterator[str]:
    """The machine codes in a module: arguments `code`, by name or by place, but not those of errors at start-up."""
    places = {"refuse": 1} | {
        node.name: [argument.arg for argument in node.args.args if argument.arg != "self"].index("code")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and any(argument.arg == "code" for argument in node.args.args)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given = [keyword.value for keyword in node.keywords if keyword.arg == "code" and name != "LakeError"]
        given += node.args[places[name] : places[name] + 1] if name in places else []
        yield from (str(value.value) for value in given if isinstance(value, ast.Constant))
        if name == "unknown_value" and isinstance(node.args[0], ast.Constant):
            yield f"unknown_{node.args[0].value!s}"


def test_every_code_is_declared_by_an_endpoint_but_those_of_no_endpoint() -> None:
    declared = {code for endpoint in ENDPOINTS for code in endpoint.failures}
    assert set(FAILURES) - declared == {"unknown_path", "method_not_allowed"}


def test_the_document_says_what_each_error_status_means() -> None:
    responses = DOCUMENT["paths"]["/api/v1/data/{metric}"]["get"]["responses"]
    assert set(responses) == {"200", "400", "401", "403", "404", "414", "429", "500", "503"}
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
    assert entry["description"] == "One published calendar month."
    assert entry["properties"]["sha256"]["description"] == "Hex digest of the file."
    assert "Attributes" not in str(DOCUMENT["components"]["schemas"])


def test_the_example_parameters_are_answered(server: RunningServer, installation: Installation) -> None:
    headers = {"X-API-KEY": installation.keys["prime"]}
    refused = {}
    for endpoint in ENDPOINTS:
        if endpoint.method != "GET" or not endpoint.path.startswith("/api/v1/"):
            continue
        wanted = [parameter for parameter in endpoint.parameters if parameter.required]
        path = endpoint.path.format(**{part.name: part.example for part in wanted if part.place == "path"})
        query = {part.name: part.example for part in wanted if part.place == "query"}
        if endpoint.name == "get_conditions":
            query["metric"] = "ohlcv"
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
    assert openapi_document("https://data.example/")["servers"] == [{"url": "https://data.example"}]
    assert DOCUMENT["servers"] == [{"url": "/"}]
