"""Funding rates of perpetuals."""

from __future__ import annotations

from aperiodic.catalog import partials_derivatives as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, Unit

FUNDING = Dataset(
    id="funding",
    name="Funding",
    category=Category.DERIVATIVES,
    tier=1,
    family=Family.FUNDING_RATE,
    description="The funding rate as the venue last announced it, and how often it changed.",
    fields=(
        Field(
            "funding_rate",
            "Funding Rate",
            Unit.FRACTION,
            "Rate that longs pay to shorts at the next funding time, as last announced: 0.0001 is 1 basis point of the "
            "position for the venue's funding period. Negative when shorts pay.",
            "last funding rate",
            p.funding_rate,
            highlight="What holding a position costs or earns: above 0 longs pay shorts. Venues charge it over "
            "periods of different length, so bring rates to one period before comparing.",
        ),
        Field(
            "funding_rate_update_frequency",
            "Funding Rate Update Frequency",
            Unit.PER_SECOND,
            "Changes of the rate per second of the interval. An announcement counts when it differs from the previous "
            "known rate, be that of an earlier interval or day; the first ever counts.",
            "changes / interval seconds",
            p.rate_changes / p.interval_seconds,
            highlight="Tells a rate that is fixed once a period from one that is estimated anew all the time, before "
            "you take its changes for news.",
        ),
        Field(
            "funding_rate_avg_update_interval",
            "Funding Rate Update Interval",
            Unit.SECONDS,
            "Seconds of the interval for each change of the rate.",
            "interval seconds / changes",
            ratio(p.interval_seconds, p.rate_changes),
            null="no change in the interval",
        ),
    ),
)
