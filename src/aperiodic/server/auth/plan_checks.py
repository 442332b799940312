"""What a key may read: its account's plan, and what the key itself is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar.status_codes import HTTP_403_FORBIDDEN

from aperiodic.market import AperiodicDataError
from aperiodic.server.errors import RequestError

if TYPE_CHECKING:
    from aperiodic.server.api.parameters import DataQuery
    from aperiodic.server.service import Caller

__all__ = ["require_bars", "require_raw"]


def require_bars(caller: Caller, query: DataQuery) -> None:
    """Refuse a request for bars that the caller may not read.

    Raises:
        RequestError: 403 with all that stands against it: `metric_not_in_plan`, `interval_not_in_plan`,
            `scope_missing`.
    """
    plan, problems = caller.plan, []
    if query.metric.tier > plan.tier:
        included = f"It includes metrics up to tier {plan.tier}" if plan.tier else "It includes the preview alone"
        problems.append(
            AperiodicDataError(
                f"The plan {plan.name} does not include the metric {query.metric.id} (tier {query.metric.tier}).",
                code="metric_not_in_plan",
                hint=f"{included}; a larger plan includes this one.",
            )
        )
    if query.interval.sub_minute and not plan.sub_minute:
        problems.append(
            AperiodicDataError(
                f"The plan {plan.name} does not include the interval {query.interval}.",
                code="interval_not_in_plan",
                hint="Ask for 1m or longer, or use a key of the plan prime.",
            )
        )
    _refuse_if_any(problems, caller, "bars")


def require_raw(caller: Caller) -> None:
    """Refuse a request for raw ticks by a caller that may not read them.

    Raises:
        RequestError: 403 with all that stands against it: `raw_not_in_plan`, `scope_missing`.
    """
    problems = []
    if not caller.plan.raw:
        problems.append(
            AperiodicDataError(
                f"The plan {caller.plan.name} does not include raw ticks.",
                code="raw_not_in_plan",
                hint="Use a key of the plan prime-raw; some days are free at /api/v1/data/raw/preview/{dataset}.",
            )
        )
    _refuse_if_any(problems, caller, "raw")


def _refuse_if_any(problems: list[AperiodicDataError], caller: Caller, scope: str) -> None:
    """Raise for the problems found, and for a key that is for something else."""
    if scope not in caller.scopes:
        problems.append(
            AperiodicDataError(
                f"This key is not for {scope}, only for {' and '.join(caller.scopes) or 'nothing'}.",
                code="scope_missing",
                hint=f"Use a key with the scope {scope}; the operator of this server issues keys.",
            )
        )
    if problems:
        raise RequestError(HTTP_403_FORBIDDEN, problems)
