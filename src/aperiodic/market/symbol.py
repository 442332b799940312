"""Instrument names in the Atlas symbology.

An Atlas symbol reads `<kind>-<base>-<quote>[:<settle>][-<delivery yyyymmdd>]`:
`spot-BTC-USDT`, `perpetual-BTC-USDT:USDT`, `perpetual-UNI-USD:UNI` (inverse), `future-BTC-USDT:USDT-20260327`.
Source of the grammar: https://github.com/aperiodic-io/atlas.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal, Self

from aperiodic.market.errors import InvalidInputError

__all__ = ["Symbol"]

# In bytes: a symbol is part of file names, which have at most 255.
_MAX_LENGTH: Final = 100
_ASSET: Final = r"[^\W_]\w*"
_GRAMMAR: Final = re.compile(
    rf"(?P<kind>spot|perpetual|future)-(?P<base>{_ASSET}(?::{_ASSET})?)-(?P<quote>{_ASSET})"
    rf"(?::(?P<settle>{_ASSET}))?(?:-(?P<delivery>20\d{{6}}))?"
)

Kind = Literal["spot", "perpetual", "future"]


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """One instrument.

    Attributes:
        kind: `spot`, `perpetual` or `future`.
        base: The asset that amounts are counted in; keeps the venue's case (`kPEPE`).
        quote: The asset that prices are given in.
        settle: The asset of margin and profit; None for spot.
        delivery: Delivery day of a dated future; None otherwise.
    """

    kind: Kind
    base: str
    quote: str
    settle: str | None = None
    delivery: date | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an Atlas symbol.

        Raises:
            InvalidInputError: `bad_symbol` when the text does not follow the grammar.
        """
        match = _GRAMMAR.fullmatch(text) if len(text.encode(errors="replace")) <= _MAX_LENGTH else None
        if match is None:
            raise _bad_symbol(text)
        kind, settle, delivery = match["kind"], match["settle"], match["delivery"]
        if (settle is None) != (kind == "spot") or (delivery is None) == (kind == "future"):
            raise _bad_symbol(text)
        day = None if delivery is None else _delivery_day(delivery, text)
        return cls(kind=kind, base=match["base"], quote=match["quote"], settle=settle, delivery=day)  # type: ignore[arg-type]

    def __str__(self) -> str:
        settle = "" if self.settle is None else f":{self.settle}"
        delivery = "" if self.delivery is None else f"-{self.delivery:%Y%m%d}"
        return f"{self.kind}-{self.base}-{self.quote}{settle}{delivery}"

    @property
    def inverse(self) -> bool:
        """Whether profit is settled in the base asset, so that contracts are worth a fixed amount of quote."""
        return self.settle == self.base


def _bad_symbol(text: str) -> InvalidInputError:
    return InvalidInputError(
        f"{text[:_MAX_LENGTH]!r} is not an Atlas symbol.",
        code="bad_symbol",
        hint="Write spot-BTC-USDT, perpetual-BTC-USDT:USDT or future-BTC-USDT:USDT-20260327.",
    )


def _delivery_day(digits: str, text: str) -> date:
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise _bad_symbol(text) from None
