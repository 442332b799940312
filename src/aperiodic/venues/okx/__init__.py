"""OKX: perpetual swaps (`okx-perps`)."""

from aperiodic.venues.okx.book import BookSync, Outcome
from aperiodic.venues.okx.contracts import read_contracts
from aperiodic.venues.okx.mapper import OkxMapper
from aperiodic.venues.okx.venue import OKX_PERPS

__all__ = ["OKX_PERPS", "BookSync", "OkxMapper", "Outcome", "read_contracts"]
