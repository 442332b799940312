"""OKX' list of instruments, REST `instruments`.

| field | meaning | becomes |
|---|---|---|
| `instId` | | `native`, `symbol` |
| `ctVal` times `ctMult`, `ctType`, `ctValCcy` | size of a contract: base units, of an inverse one quote units | `contract_size` |
| `tickSz`, `lotSz` | prices in quote units; amounts in contracts | `tick_size`, `lot_size` |
| `contTdSwTime` | since when it is traded continuously, ms; told only of what began otherwise | `listed_from` |
| `listTime` | since when it is listed, ms; of many in January 2021, when they were moved: that says nothing | `listed_from` |
| `expTime` | when it ends, ms; empty for perpetuals until they are to be delisted | `delisted_at` |
| `state` | `live`, `suspend`, `preopen`, `test` (left out) | `status` |

What is delisted vanishes from the list.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from msgspec import DecodeError

from aperiodic.market import InvalidInputError
from aperiodic.market.instrument import Instrument, ListingStatus
from aperiodic.venues.events import RejectedFrameError
from aperiodic.venues.listing import step, time_or_none
from aperiodic.venues.okx import messages as wire
from aperiodic.venues.okx.contracts import contract_of
from aperiodic.venues.okx.symbols import okx_symbol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msgspec import Raw

__all__ = ["read_listed"]

_STATUS: Final = {
    "live": ListingStatus.TRADING,
    "suspend": ListingStatus.HALTED,
    "preopen": ListingStatus.PENDING,
    "rebase": ListingStatus.HALTED,
}
_MOVED_FROM: Final = 1_609_459_200_000_000
_MOVED_TO: Final = 1_612_137_600_000_000


def read_listed(data: bytes | Raw) -> list[Instrument]:
    """Read the `data` of an answer to `instruments`: swaps; instruments for tests are left out.

    Raises:
        RejectedFrameError: `malformed` when it is no such answer.
    """
    try:
        listed = wire.INSTRUMENTS.decode(data)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedFrameError("malformed", str(error)[:200]) from None
    return list(_instruments(listed))


def _instruments(listed: list[wire.Instrument]) -> Iterator[Instrument]:
    for each in listed:
        if each.kind != "SWAP" or each.state == "test":
            continue
        try:
            symbol = okx_symbol(each.name)
        except InvalidInputError:
            continue
        contract = contract_of(each)
        known = contract is not None and contract.inverse == symbol.inverse
        yield Instrument(
            each.name,
            symbol,
            Fraction(contract.numerator, contract.denominator) if contract is not None and known else None,
            tick_size=step(each.tick_size),
            lot_size=step(each.lot_size),
            listed_from=_listed_from(each),
            delisted_at=time_or_none(each.expiry_time),
            status=_STATUS.get(each.state, ListingStatus.HALTED),
        )


def _listed_from(instrument: wire.Instrument) -> int | None:
    time = time_or_none(instrument.continuous_time) or time_or_none(instrument.list_time)
    return None if time is None or _MOVED_FROM <= time < _MOVED_TO else time
