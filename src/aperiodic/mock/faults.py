"""Scripts of what is to go wrong: a JSON list of objects, or one drawn from a seed.

| `kind` | what happens | keys |
|---|---|---|
| `withhold` | the next `count` frames, or all for `seconds`, are not sent | `symbol`, `stream` |
| `duplicate` | the next `count` frames are sent twice | the same |
| `reorder` | the next two frames change places, `count` times | the same |
| `stall` | frames are held back for `seconds`, then sent in order | the same |
| `malformed` | the next `count` frames are cut in half | the same |
| `new_field` | frames carry a field that nobody knows, for `seconds` | the same |
| `wrong_class` | the streams change their class of host (Binance futures): acknowledged and silent where they were, for `seconds` | the same |
| `disconnect` | connections of these streams are cut: without a word, or with `code` | the same |
| `freeze` | they are neither read nor written any more, and not closed | the same |
| `shutdown` | the venue's notice, and after `seconds` the cut; all connections | |
| `huge`, `invalid_utf8` | such a frame is sent to every connection of these streams | `symbol`, `stream` |
| `sequence_reset` | the numbers of the book begin anew | `symbol` |
| `old_snapshot` | the next `count` snapshots are the one of now | `symbol` |
| `no_snapshot` | subscribing to a book brings no snapshot (OKX), for `seconds` | `symbol` |
| `coin_kill` | the coin is unknown from now on: who subscribes to it is cut (Hyperliquid), for `seconds` | `symbol` |
| `rate_limited`, `banned` | REST answers 429, or 418, for `seconds`, with `Retry-After` | |
| `geo_block` | REST and new connections are answered 451, for `seconds` | |
| `refuse` | new connections and REST are answered 503, for `seconds` | |
| `html` | the next `count` REST answers are a page with status 200 | |
| `clock_skew` | the venue's time is wrong by `ms`, for `seconds` | |

`at` is in seconds since the exchange tells its market and somebody listens. `symbol` is the venue's name or ours; without it all are
meant. `stream` is a part of the stream's name, for example `@depth` or `trades`.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

from aperiodic.market import Exchange, InvalidInputError, Symbol
from aperiodic.venues import venue_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Fault", "FaultKind", "random_faults", "read_faults"]

FaultKind = Literal[
    "withhold",
    "duplicate",
    "reorder",
    "stall",
    "malformed",
    "new_field",
    "wrong_class",
    "disconnect",
    "freeze",
    "shutdown",
    "huge",
    "invalid_utf8",
    "sequence_reset",
    "old_snapshot",
    "no_snapshot",
    "coin_kill",
    "rate_limited",
    "banned",
    "geo_block",
    "refuse",
    "html",
    "clock_skew",
]

_MOST: Final = 100_000
_NUMBERED: Final = (Exchange.BINANCE, Exchange.BINANCE_FUTURES, Exchange.OKX_PERPS)
_ONLY: Final[dict[str, tuple[Exchange, ...]]] = {
    "sequence_reset": _NUMBERED,
    "old_snapshot": _NUMBERED,
    "shutdown": _NUMBERED,
    "no_snapshot": (Exchange.OKX_PERPS,),
    "coin_kill": (Exchange.HYPERLIQUID_PERPS,),
    "wrong_class": (Exchange.BINANCE_FUTURES,),
    "banned": (Exchange.BINANCE, Exchange.BINANCE_FUTURES),
}
"""Faults that not all venues can have."""

_OF_SYMBOLS: Final = frozenset(
    {
        *("withhold", "duplicate", "reorder", "stall", "malformed", "new_field", "disconnect", "huge", "invalid_utf8"),
        *("sequence_reset", "old_snapshot", "no_snapshot", "coin_kill", "wrong_class", "freeze"),
    }
)


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing that goes wrong; see the table of this module.

    Attributes:
        at: Seconds since the exchange tells its market and somebody listens.
        exchange: Whose.
        kind: What.
        symbol: Of which instrument; empty for all.
        stream: Part of the names of the streams; empty for all.
        count: How often.
        seconds: For how long; 0: not bounded by time.
        code: Close code of a disconnect; None: none is sent.
        ms: By how much a clock is wrong.
    """

    at: float
    exchange: str
    kind: FaultKind
    symbol: str = ""
    stream: str = ""
    count: int = 1
    seconds: float = 0.0
    code: int | None = None
    ms: int = 0

    @property
    def native(self) -> str:
        """The venue's name of the instrument; empty for all."""
        try:
            symbol = Symbol.parse(self.symbol)
        except InvalidInputError:
            return self.symbol
        return venue_of(Exchange(self.exchange)).native(symbol)


def read_faults(path: Path) -> tuple[Fault, ...]:
    """Read a script.

    Raises:
        InvalidInputError: `bad_fault_script` when the file cannot be read or is not a list of faults.
    """
    try:
        faults = msgspec.json.decode(path.read_bytes(), type=list[Fault])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{path} is not a script of faults: {error}",
            code="bad_fault_script",
            hint='Write a list such as [{"at": 5, "exchange": "okx-perps", "kind": "disconnect"}].',
        ) from None
    if len(faults) > _MOST:
        raise InvalidInputError(
            f"{path} has {len(faults):,} faults.", code="bad_fault_script", hint=f"Give {_MOST:,} at most."
        )
    return tuple(sorted(faults, key=lambda fault: fault.at))


def random_faults(
    seed: int,
    markets: Mapping[Exchange, Sequence[str]],
    *,
    count: int = 50,
    seconds: float = 600.0,
    kinds: Sequence[FaultKind] = (),
) -> tuple[Fault, ...]:
    """Draw a script; the same arguments give the same script.

    Args:
        seed: Which of endlessly many.
        markets: The venues' names of the instruments, by exchange.
        count: How many faults.
        seconds: They lie within this time, the first and last tenth left out.
        kinds: Only these; empty: all that the venue can have, without bans and blocks, which stop everything.
    """
    rng = random.Random(seed)  # noqa: S311 (no secret)
    exchanges = sorted(markets)
    faults = []
    for _ in range(count):
        exchange = rng.choice(exchanges)
        kind = rng.choice([kind for kind in kinds or _ordinary(exchange) if _possible(exchange, kind)])
        fault = Fault(
            at=round(rng.uniform(0.1 * seconds, 0.9 * seconds), 3),
            exchange=str(exchange),
            kind=kind,
            symbol=rng.choice(markets[exchange]) if kind in _OF_SYMBOLS else "",
            count=rng.randint(1, 5),
            seconds=_length(rng, kind),
            code=rng.choice([None, None, 1001, 1006, 1012]) if kind == "disconnect" else None,
            ms=rng.randint(-2_000, 2_000) if kind == "clock_skew" else 0,
        )
        # 1006 is what a client reports, no server may send it.
        faults.append(msgspec.structs.replace(fault, code=None) if fault.code == 1006 else fault)  # noqa: PLR2004
    return tuple(sorted(faults, key=lambda fault: fault.at))


def _ordinary(exchange: Exchange) -> tuple[FaultKind, ...]:
    left_out = {"banned", "geo_block", "wrong_class"}
    return tuple(kind for kind in get_args(FaultKind) if kind not in left_out and _possible(exchange, kind))


def _possible(exchange: Exchange, kind: FaultKind) -> bool:
    return exchange in _ONLY.get(kind, (exchange,))


def _length(rng: random.Random, kind: FaultKind) -> float:
    if kind in {"withhold", "disconnect", "duplicate", "reorder", "malformed", "huge", "invalid_utf8"}:
        return 0.0
    if kind == "shutdown":
        return 3.0
    return round(rng.uniform(0.5, 5.0), 3)
