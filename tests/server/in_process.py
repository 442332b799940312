"""An application in this process, over an installation of its own, so that every setting can be chosen."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from litestar.enums import ScopeType
from litestar.testing import TestClient

from aperiodic.accounts.keys import SCOPES, create_key
from aperiodic.completeness.recorded import Recorded, add_recorded
from aperiodic.engine.parts import append_ticks
from aperiodic.lake import Lake, NewObject, ObjectKey
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Exchange, Source, Stream, Symbol
from aperiodic.server import Secrets, create_app
from aperiodic.server.app import HANDLERS
from aperiodic.server.endpoints import declared_endpoints
from aperiodic.server.settings import ServerSettings
from aperiodic.simulate import MarketSpec, simulate_day

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ASGIApp, Receive, Scope, Send

ENDPOINTS: Final = declared_endpoints(HANDLERS)


@dataclass(frozen=True)
class App:
    """A running application; its client holds no key."""

    lake: Lake
    settings: ServerSettings
    client: TestClient[ASGIApp]

    def headers(self, plan: str, scopes: tuple[str, ...] = SCOPES) -> dict[str, str]:
        """Make a key of a plan, and return the header that sends it."""
        pepper = Secrets.load(self.settings).pepper
        with begin_write(self.lake.engine) as connection:
            return {"X-API-KEY": create_key(connection, pepper, plan, "test", scopes=scopes)}


@contextmanager
def application(home: Path, *, handlers: Sequence[HTTPRouteHandler] = HANDLERS, **settings: Any) -> Iterator[App]:
    chosen = ServerSettings(home=home, **settings)
    with (
        closing(Lake.open(chosen)) as lake,
        TestClient(
            _as_servers_do(create_app(lake, chosen, handlers=handlers)), raise_server_exceptions=False
        ) as client,
    ):
        yield App(lake, chosen, client)


def _as_servers_do(app: ASGIApp) -> ASGIApp:
    """Leave the query out of the raw path, into which the test client puts it."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            scope["raw_path"] = scope["raw_path"].split(b"?")[0]
        await app(scope, receive, send)

    return serve


def put_open_ticks(lake: Lake, exchange: Exchange, symbol: Symbol, day: date, until: int) -> int:
    """Append the trades of a day that is not over, which was recorded until a time (µs); return how many there are."""
    frame = simulate_day(MarketSpec(exchange, symbol, 1, 50), day, [Stream.TRADES])[Stream.TRADES]
    batch = lake.batch()
    for part in (frame[: frame.height // 2], frame[frame.height // 2 :]):
        append_ticks(lake, batch, Stream.TRADES, exchange, symbol, part, Source.RECORDING)
        batch.commit()
        batch = lake.batch()
    heard = [Recorded(0, until, 0, until)]
    batch.change(lambda connection: add_recorded(connection, exchange, {(str(symbol), Stream.TRADES): heard}))
    batch.commit()
    return frame.height


def put_ticks(
    lake: Lake, stream: Stream, exchange: Exchange, symbol: Symbol, day: date, *, trades_per_day: int = 50
) -> bytes:
    """Write a simulated day of ticks, and return the file's bytes; another number of trades is another content."""
    frame = simulate_day(MarketSpec(exchange, symbol, 1, trades_per_day), day, [stream])[stream]
    data = parquet_bytes(frame)
    key = ObjectKey.ticks(stream, exchange, symbol, day)
    fingerprint = f"{trades_per_day}"
    batch = lake.batch()
    batch.put(
        NewObject(key=key, rows=frame.height, source=Source.RECORDING, fingerprint=fingerprint, reason="test"), data
    )
    batch.commit()
    return data
