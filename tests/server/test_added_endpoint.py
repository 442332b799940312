"""An endpoint that is declared here, and nowhere else: everything follows from its declaration."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from litestar import Request
from litestar.di import NamedDependency
from tests.server.in_process import App, application

from aperiodic.market import Exchange, Stream
from aperiodic.server.api.parameters import DATASET, EXCHANGE
from aperiodic.server.api.request_parsing import read_query
from aperiodic.server.app import HANDLERS
from aperiodic.server.endpoints import RATE, Answer, Endpoint, Parameter, serve
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import refuse
from aperiodic.server.service import Service

READER: Final = "read the counters"
TOY: Final = "/api/v1/toys/{dataset}"
AMOUNT: Final = Parameter(name="amount", description="How many toys.", example="3", parse=int, required=False)


class ToyAnswer(msgspec.Struct):
    """A box of toys.

    Attributes:
        contents: What is in the box.
    """

    contents: str


class ToyQuery(NamedTuple):
    dataset: Stream
    exchange: Exchange
    amount: int = 1


@serve(
    Endpoint(
        route="/api/v1/toys/{dataset:str}",
        name="get_toys",
        tag="data",
        summary="Toys of a venue",
        description="A box for each stream.",
        parameters=(DATASET, EXCHANGE, AMOUNT),
        answers=(Answer("The box.", ToyAnswer("three toys"), headers=RATE),),
        refusals=(ErrorCode.OBJECT_MISSING,),
    ),
    sync_to_thread=True,
)
def get_toys(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> ToyAnswer:
    """Answer with toys."""
    with service.reading() as ledger:
        caller = service.authorise(ledger, request)
        query = read_query(request, ledger.connection, ToyQuery)
        service.admit(request, caller)
    if not query.amount:
        raise refuse(ErrorCode.OBJECT_MISSING)
    return ToyAnswer(f"{query.amount} {query.dataset} of {query.exchange}")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home = tmp_path_factory.mktemp("home")
    with application(home, handlers=(*HANDLERS, get_toys), metrics_token=READER) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "status", "answer"),
    [
        ("/api/v1/toys/trades?exchange=okx-perps", 200, "1 trades of okx-perps"),
        ("/api/v1/toys/book?exchange=binance&amount=3", 200, "3 book of binance"),
        ("/api/v1/toys/book?exchange=okx&amount=3", 400, "unknown_exchange"),
        ("/api/v1/toys/book?exchange=binance&amount=", 400, "missing_parameter"),
        ("/api/v1/toys/book?exchange=binance&amout=3", 400, "unknown_parameter"),
        ("/api/v1/toys/boook?exchange=binance", 404, "unknown_dataset"),
        ("/api/v1/toys/book?exchange=binance&amount=0", 404, "object_missing"),
    ],
)
def test_it_reads_what_it_declares_and_answers_errors_as_all_do(app: App, path: str, status: int, answer: str) -> None:
    given = app.client.get(path, headers=app.headers("pro"))
    body = given.json()
    assert given.status_code == status
    if status == 200:
        assert body == {"contents": answer}
        assert set(RATE) <= {name for name in RATE if name in given.headers}
        return
    assert set(body) == {"error", "details", "code", "hint", "request_id"}
    assert (body["code"], body["request_id"]) == (answer, given.headers["x-request-id"])


def test_it_needs_a_key_unless_it_says_otherwise(app: App) -> None:
    assert app.client.get("/api/v1/toys/trades?exchange=binance").json()["code"] == "missing_key"


def test_it_is_in_the_openapi_document(app: App) -> None:
    document = app.client.get("/api/v1/openapi.json").json()
    operation = document["paths"][TOY]["get"]
    assert operation["operationId"] == "get_toys"
    assert [part["name"] for part in operation["parameters"]] == ["dataset", "exchange", "amount"]
    schema = document["components"]["schemas"]["ToyAnswer"]
    assert schema["properties"]["contents"]["description"] == "What is in the box."
    codes = {
        code
        for status, answer in operation["responses"].items()
        if int(status) >= 400
        for code in answer["content"]["application/json"]["examples"]
    }
    assert codes >= {"missing_key", "unknown_exchange", "unknown_dataset", "object_missing", "rate_limited"}
    assert "bad_date" not in codes


@pytest.mark.parametrize("page", ["/api-docs", "/llms-full.txt"])
def test_it_is_on_the_pages(app: App, page: str) -> None:
    text = app.client.get(page).text
    for words in (TOY, "Toys of a venue", "How many toys.", "object_missing"):
        assert words in text


def test_it_is_counted_under_its_own_path(app: App) -> None:
    app.client.get("/api/v1/toys/trades?exchange=okx-perps", headers=app.headers("pro"))
    counters = app.client.get("/metrics", headers={"Authorization": f"Bearer {READER}"}).text
    assert f'aperiodic_requests_total{{method="GET",route="{TOY}",status="200"}}' in counters


def test_a_path_without_the_address_of_the_api_names_it(app: App) -> None:
    assert TOY in app.client.get("/toys/trades").json()["hint"]
