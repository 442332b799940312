"""Values that the examples of several endpoints share."""

from typing import Final

__all__ = ["BTC", "DIGEST", "REQUEST_ID", "SIGNATURE", "VENUE"]

BTC: Final = "perpetual-BTC-USDT:USDT"
VENUE: Final = "binance-futures"
REQUEST_ID: Final = "4bf92f3577b34da6"
DIGEST: Final = "3c5a79d1f0e2b48697d6c1a8350f9be7246d80acf35e1b79c2d4068fa17be953"
SIGNATURE: Final = "9f2c61d07be4a85310c7f6d92e8ab45d7013c6ef58a29b4d6e1f0c83b75a2d94"
