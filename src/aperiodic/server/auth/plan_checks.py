"""What a key may read: its account's plan, and what the key itself is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import RequestError, refuse

if TYPE_CHECKING:
    from aperiodic.catalog import Dataset
    from aperiodic.market import Interval, InvalidInputError
    from aperiodic.server.service import Caller

__all__ = ["BarsQuery", "require_bars", "require_live", "require_raw"]


class BarsQuery(Protocol):
    """What of a request for bars decides who may read them."""

    @property
    def metric(self) -> Dataset:
        """The dataset."""

    @property
    def interval(self) -> Interval:
        """Length of the bars."""


def require_live(caller: Caller) -> None:
    """Refuse a request for live bars by a caller whose plan has none.

    Raises:
        RequestError: 403 `live_not_in_plan`.
    """
    if not caller.plan.live:
        raise refuse(ErrorCode.LIVE_NOT_IN_PLAN, plan=caller.plan.name)


def require_bars(caller: Caller, query: BarsQuery) -> None:
    """Refuse a request for bars that the caller may not read.

    Raises:
        RequestError: 403 with all that stands against it: `metric_not_in_plan`, `interval_not_in_plan`,
            `scope_missing`.
    """
    plan, problems = caller.plan, []
    if query.metric.tier > plan.tier:
        included = f"metrics up to tier {plan.tier}" if plan.tier else "the preview alone"
        problems.append(
            ErrorCode.METRIC_NOT_IN_PLAN.problem(
                plan=plan.name, metric=query.metric.id, tier=query.metric.tier, included=included
            )
        )
    if query.interval.sub_minute and not plan.sub_minute:
        problems.append(ErrorCode.INTERVAL_NOT_IN_PLAN.problem(plan=plan.name, interval=query.interval))
    _refuse_if_any(problems, caller, "bars")


def require_raw(caller: Caller) -> None:
    """Refuse a request for raw ticks by a caller that may not read them.

    Raises:
        RequestError: 403 with all that stands against it: `raw_not_in_plan`, `scope_missing`.
    """
    problems = [] if caller.plan.raw else [ErrorCode.RAW_NOT_IN_PLAN.problem(plan=caller.plan.name)]
    _refuse_if_any(problems, caller, "raw")


def _refuse_if_any(problems: list[InvalidInputError], caller: Caller, scope: str) -> None:
    """Raise for the problems found, and for a key that is for something else."""
    if scope not in caller.scopes:
        scopes = " and ".join(caller.scopes) or "nothing"
        problems.append(ErrorCode.SCOPE_MISSING.problem(scope=scope, scopes=scopes))
    if problems:
        raise RequestError(problems)
