"""What a request for a dataset answers: fields, an example of two months, errors, from the endpoint's own declaration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from aperiodic.server.site.api_docs import answer_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aperiodic.catalog import Dataset
    from aperiodic.server.endpoints import Endpoint, Parameter
    from aperiodic.server.error_codes import ErrorCode
    from aperiodic.server.site.api_docs import AnswerField

__all__ = ["DataResponse", "data_response"]


@dataclass(frozen=True, slots=True)
class DataResponse:
    """What a request for bars takes and answers.

    Attributes:
        parameters: Of the query.
        fields: Of the answer, those of nested objects too.
        example: An answer of two months as JSON.
        errors: Codes of errors by status.
    """

    parameters: tuple[Parameter, ...]
    fields: tuple[AnswerField, ...]
    example: str
    errors: Mapping[int, Iterable[ErrorCode]]


def data_response(endpoints: Iterable[Endpoint], declared: Dataset) -> DataResponse:
    """Return what is said of requests for a dataset.

    Args:
        endpoints: Of the API.
        declared: The dataset.
    """
    endpoint = next(endpoint for endpoint in endpoints if endpoint.name == "get_data")
    answer = endpoint.answers[0]
    return DataResponse(
        parameters=tuple(parameter for parameter in endpoint.parameters if parameter.place == "query"),
        fields=answer_fields(answer),
        example=_two_months(msgspec.to_builtins(answer.example), declared.id),
        errors=endpoint.errors_by_status,
    )


def _two_months(answer: dict[str, Any], metric: str) -> str:
    """Return an answer of one month of candles as one of two months of a dataset, as JSON."""
    (first,) = answer["files"]
    first["url"] = first["url"].replace("/ohlcv/", f"/{metric}/")
    month = first["month"]
    url = first["url"].replace(f"/month={month:02}/", f"/month={month + 1:02}/")
    second = {**first, "month": month + 1, "url": url, "published_at": "2025-07-01T00:11:58.402000+00:00"}
    return json.dumps({**answer, "files": [first, second]}, indent=2, ensure_ascii=False) + "\n"
