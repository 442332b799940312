"""Which streams share a connection."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aperiodic.market import InvalidInputError
from aperiodic.market.errors import unknown_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aperiodic.venues.feed import Channel, Feed, Subscription

__all__ = ["Planned", "choose_channels", "plan_connections"]


@dataclass(slots=True)
class Planned:
    """One connection that is to be kept.

    Attributes:
        host: Class of host.
        group: Group of its channels.
        streams: What it subscribes to.
    """

    host: str
    group: str
    streams: list[Subscription] = field(default_factory=list)


def choose_channels(feed: Feed, names: Iterable[str]) -> list[Channel]:
    """Return the channels of these names, the default ones if there are none.

    Raises:
        InvalidInputError: `unknown_channel`, naming the nearest valid one.
    """
    by_name = {channel.name: channel for channel in feed.channels}
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in by_name:
            raise unknown_value("channel", name, by_name)
    return [by_name[name] for name in wanted] or [channel for channel in feed.channels if channel.default]


def plan_connections(feed: Feed, channels: Sequence[Channel], natives: Sequence[str]) -> list[Planned]:
    """Spread streams over connections, the streams of an instrument together.

    Raises:
        InvalidInputError: `too_many_streams` when the venue allows fewer connections than they need.
    """
    planned: list[Planned] = []
    kinds = dict.fromkeys((channel.host, channel.group) for channel in channels if channel.host != "rest")
    for host, group in kinds:
        own = [channel for channel in channels if (channel.host, channel.group) == (host, group)]
        once = [feed.subscription(channel, "") for channel in own if not channel.per_instrument]
        present = Planned(host, group)
        counts: Counter[str] = Counter()
        for bundle in [
            once,
            *([feed.subscription(each, native) for each in own if each.per_instrument] for native in natives),
        ]:
            if not _fits(feed, present, counts, bundle):
                planned.append(present)
                present, counts = Planned(host, group), Counter()
            present.streams += bundle
            counts.update(each.channel.name for each in bundle)
        planned.append(present)
    planned = [_without_repeats(each) for each in planned if each.streams]
    most = feed.limits.connections
    if most is not None and len(planned) * 2 > most:  # as many again while connections are handed over
        raise InvalidInputError(
            f"{feed.exchange} allows {most} connections, and these streams need {len(planned)}, twice while they are "
            "handed over.",
            code="too_many_streams",
            hint="Name fewer symbols or channels.",
        )
    return planned


def _fits(feed: Feed, present: Planned, counts: Counter[str], bundle: Sequence[Subscription]) -> bool:
    if len(present.streams) + len(bundle) > feed.limits.planned_streams:
        return not present.streams
    return all(each.channel.most is None or counts[each.channel.name] < each.channel.most for each in bundle)


def _without_repeats(planned: Planned) -> Planned:
    planned.streams = list({each.name: each for each in planned.streams}.values())
    return planned
