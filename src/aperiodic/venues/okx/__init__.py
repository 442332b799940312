"""OKX: perpetual swaps (`okx-perps`)."""

from aperiodic.venues.okx.contracts import read_contracts
from aperiodic.venues.okx.venue import OKX_PERPS

__all__ = ["OKX_PERPS", "read_contracts"]
