"""A gap in the middle of a bar, from the ledger to a client of `/v1/stream`."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tests.engine.live.comparing import Bar, differences, published
from tests.engine.live.gappy import SECOND, record
from tests.engine.open_days.test_open_days import Clockwork
from tests.lakes import BTC, VENUE
from tests.server.stream.talking import ask, opened, received

from aperiodic.engine.build import build
from aperiodic.engine.live.maker import LiveMaker
from aperiodic.engine.live.rows import ALL_SECONDS
from aperiodic.lake import Lake, Settings
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import Api
    from websockets.sync.client import ClientConnection

    from aperiodic.engine.live import LiveHub

CHANNELS = {
    "ohlcv.binance-futures.1m": ("exchange", "1m"),
    "ohlcv.binance-futures.1m.true": ("true", "1m"),
    "ohlcv.binance-futures.1s": ("true", "1s"),
}
MINUTES = tuple(CHANNELS)[:2]
MINUTE = 60 * SECOND


class Client:
    """Keeps what a client is told: of each bar all rows, in the order in which they came."""

    def __init__(self, connection: ClientConnection) -> None:
        self.rows: defaultdict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
        self._connection = connection

    def read_until(self, time: int, revision: int) -> None:
        """Read until the minutes that begin at a time, µs, have come with a revision."""
        while any((found := self.rows[name, time]) == [] or found[-1]["revision"] < revision for name in MINUTES):
            message = received(self._connection)
            if "channel" in message:
                self.rows[message["channel"], message["data"]["time"]].append(message["data"])

    def verdicts(self, time: int, *names: str) -> list[list[tuple[int, bool]]]:
        return [[(row["revision"], row["complete"]) for row in self.rows[name, time]] for name in names]


def test_a_client_is_told_of_a_gap_and_of_the_bar_when_its_ticks_have_come(home: Path, api: Api, hub: LiveHub) -> None:
    begin = (now_us() // MINUTE + 1) * MINUTE
    clock = Clockwork(begin)
    with closing(Lake.open(Settings(home=home))) as lake, opened(api) as connection:
        assert ask(connection, op="subscribe", id="s1", channels=list(CHANNELS))["rejected"] == []
        client = Client(connection)
        maker = LiveMaker(lake, hub.tell, seconds=lambda: ALL_SECONDS, now=clock, hold_us=250_000)
        for first, last in ((0, 5), (5, 70), (85, 130)):  # nothing was recorded for 15 seconds
            record(lake, begin, first, last)
            clock.now = begin + last * SECOND
            maker.round()
        client.read_until(begin + MINUTE, 0)
        assert client.verdicts(begin, *MINUTES) == [[(0, True)]] * 2
        assert client.verdicts(begin + MINUTE, *MINUTES) == [[(0, False)]] * 2
        record(lake, begin, 70, 85)  # another recorder had it
        for second in (133, 800, 803):
            clock.now = begin + second * SECOND
            maker.round()
        client.read_until(begin + MINUTE, 2)
        assert client.verdicts(begin + MINUTE, *MINUTES) == [[(0, False), (1, False), (2, True)]] * 2
        assert client.verdicts(begin + 75 * SECOND, "ohlcv.binance-futures.1s") == [[(1, False), (2, True)]]
        build(lake)
        bars = published(lake, begin)
    cells = 0
    for (channel, time), rows in client.rows.items():
        bar = Bar(VENUE, str(BTC), "ohlcv", *CHANNELS[channel], time)
        values = {name: rows[-1][name] for name in bars[bar]}
        assert differences(values, bars[bar]) == {}, bar
        cells += len(values)
    assert len([name for name, _ in client.rows if name.endswith("1s")]) >= 100
    print(f"{cells:,} values that a client was told of {len(client.rows):,} bars compared")  # noqa: T201 - how much
