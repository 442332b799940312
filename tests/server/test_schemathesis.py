"""Requests made from the OpenAPI document, valid and not: every answer must be one that the document declares."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import (
    ChecksConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.config._checks import NegativeDataRejectionConfig
from tests.server.conftest import add_tick_days, publish, start_server
from tests.server.in_process import ENDPOINTS

from aperiodic.accounts.keys import create_key
from aperiodic.accounts.plans import change_plan, find_plan
from aperiodic.lake import Lake
from aperiodic.lake.ledger import begin_write
from aperiodic.server import Secrets
from aperiodic.server.openapi.document import openapi_document
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case

_MANY: Final = 1_000_000

# Rules between parameters (a range's order, what excludes what) have no words in OpenAPI: values that are valid one by
# one can make a request that is refused with 400, and a well-formed link is not a signed one.
_CHECKS: Final = ChecksConfig(
    positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=["2xx", "304", "400", "403", "404", "409"]),
    # Values that may be given several times make a query that is too long.
    negative_data_rejection=NegativeDataRejectionConfig(expected_statuses=["400", "401", "403", "404", "414", "429"]),
)
_CONFIG: Final = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(checks=_CHECKS)))
_API: Final = schemathesis.openapi.from_dict(openapi_document(None, ENDPOINTS), config=_CONFIG)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and key of an installation with wide limits, so that it is not 429 that is tested."""
    home = tmp_path_factory.mktemp("home")
    chosen = ServerSettings(home=home)
    with closing(Lake.open(chosen)) as lake:
        publish(lake, date(2025, 5, 1))
        add_tick_days(lake, date(2025, 5, 1), 3)
        with begin_write(lake.engine) as connection:
            change_plan(connection, replace(find_plan(connection, "prime-raw"), requests_per_minute=_MANY))
            key = create_key(connection, Secrets.load(chosen).pepper, "prime-raw", "test")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("APERIODIC_ADDRESS_REQUESTS_PER_MINUTE", str(_MANY))
        environment.setenv("APERIODIC_SIGNUPS_PER_HOUR", str(_MANY))
        running = start_server(home)
    yield running.url, key
    running.process.terminate()
    _, errors = running.process.communicate(timeout=20)
    assert not errors, errors


@_API.parametrize()
@settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_documented(case: Case[Any], served: tuple[str, str]) -> None:
    url, key = served
    case.call_and_validate(base_url=url, headers={"X-API-KEY": key})
