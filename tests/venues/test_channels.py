"""A frame of every channel, written as the venues send it in 2026, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.venues.test_binance_mapper import Collected

from aperiodic.market import BOOK_DEPTH, Exchange, Stream, Symbol
from aperiodic.venues import Contract, Instruments, RejectedFrameError, venue_of

if TYPE_CHECKING:
    from aperiodic.venues import Row

LOCAL = 1_795_111_222_333_444
T = 1_795_111_222_000
US = T * 1_000
FUNDING = 1_795_132_800_000
UM, SPOT = "perpetual-SOL-USDT:USDT", "spot-SOL-USDT"
SWAP, COIN = "perpetual-SOL-USDT:USDT", "perpetual-SOL-USDC:USDC"
NOTHING = (None,) * 4

Told = list[tuple[Stream, str, tuple[object, ...]]]


def read(exchange: Exchange, *frames: str) -> Collected:
    sink = Collected("SOLUSDT")
    instruments = Instruments(contracts={"SOL-USDT-SWAP": Contract(1, 1, inverse=False)})
    mapper = venue_of(exchange).mapper(sink, instruments, recorded_before=lambda *_: True)
    for frame in frames:
        mapper.read(LOCAL, frame.encode())
    return sink


def told(sink: Collected) -> Told:
    """The ticks; of a book only its times, its best levels, depth and number."""
    found: Told = []
    for stream, symbol, row in sink.ticks:
        found.append((stream, str(symbol), _short(row) if stream is Stream.BOOK else row))
    return found


def _short(row: Row) -> tuple[object, ...]:
    bids, asks = row[2 : 2 + 2 * BOOK_DEPTH], row[2 + 2 * BOOK_DEPTH : -2]
    return (*row[:2], *bids[:4], *asks[:4], *row[-2:])


FUTURES_DEPTH = (
    '{"stream":"solusdt@depth@0ms","data":{"e":"depthUpdate","E":1795111222005,"T":1795111222000,"s":"SOLUSDT",'
    '"ps":"SOLUSDT","U":%d,"u":%d,"pu":%d,"b":[["180.20","3.5"],["180.00","0"]],"a":[["180.40","7"]],"st":1}}'
)
FUTURES_SNAPSHOT = (
    '{"stream":"solusdt@depthSnapshot","data":{"lastUpdateId":500,"E":1795111221000,"T":1795111220900,'
    '"bids":[["180.10","1"],["180.00","2"]],"asks":[["180.30","4"]]}}'
)
FUTURES: dict[str, tuple[tuple[str, ...], Told]] = {
    "trade": (
        (
            (
                '{"stream":"solusdt@trade","data":{"e":"trade","E":1795111222004,"T":1795111222000,"s":"SOLUSDT",'
                '"t":812,"p":"180.25","q":"1.50","X":"MARKET","m":false,"st":1}}'
            ),
        ),
        [(Stream.TRADES, UM, (US, LOCAL, "812", "buy", 180.25, 1.5, 812))],
    ),
    "aggTrade": (
        (
            (
                '{"stream":"solusdt@aggTrade","data":{"e":"aggTrade","E":1795111222104,"s":"SOLUSDT","a":77,"p":"180.25",'
                '"q":"4.00","nq":"3.10","f":812,"l":815,"T":1795111222000,"m":true,"st":1}}'
            ),
        ),
        [(Stream.TRADES, UM, (US, LOCAL, "77", "sell", 180.25, 4.0, 815))],
    ),
    "bookTicker": (
        (
            (
                '{"stream":"solusdt@bookTicker","data":{"e":"bookTicker","u":9001,"s":"SOLUSDT","ps":"SOLUSDT",'
                '"b":"180.20","B":"3.5","a":"180.30","A":"4","T":1795111222000,"E":1795111222003,"st":1}}'
            ),
        ),
        [(Stream.QUOTES, UM, (US, LOCAL, 180.2, 3.5, 180.3, 4.0, 9001))],
    ),
    "!bookTicker": (
        (
            (
                '{"stream":"!bookTicker","data":{"e":"bookTicker","u":9001,"s":"SOLUSDT","ps":"SOLUSDT",'
                '"b":"180.20","B":"3.5","a":"180.30","A":"4","T":1795111222000,"E":1795111222003,"st":1}}'
            ),
        ),
        [(Stream.QUOTES, UM, (US, LOCAL, 180.2, 3.5, 180.3, 4.0, 9001))],
    ),
    "depth": (
        (FUTURES_SNAPSHOT, FUTURES_DEPTH % (495, 510, 490)),
        [(Stream.BOOK, UM, (US, LOCAL, 180.2, 3.5, 180.1, 1.0, 180.3, 4.0, 180.4, 7.0, 25, 510))],
    ),
    "markPrice": (
        (
            (
                '{"stream":"solusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":1795111222000,"s":"SOLUSDT",'
                '"p":"180.21000000","ap":"180.19000000","P":"180.15000000","i":"180.26000000","r":"-0.00002500",'
                '"T":1795132800000,"st":1}}'
            ),
        ),
        [
            (Stream.MARK_PRICE, UM, (US, LOCAL, 180.21, None)),
            (Stream.INDEX_PRICE, UM, (US, LOCAL, 180.26, None)),
            (Stream.FUNDING_RATE, UM, (US, LOCAL, -0.000025, FUNDING * 1000, None)),
        ],
    ),
    "!markPrice@arr": (
        (
            (
                '{"stream":"!markPrice@arr@1s","data":[{"e":"markPriceUpdate","E":1795111222000,"s":"SOLUSDT","p":"180.21",'
                '"ap":"180.19","P":"180.15","i":"180.26","r":"","T":0,"st":1}]}'
            ),
            (
                '{"stream":"!markPrice@arr@1s","data":[{"e":"markPriceUpdate","E":1795111222000,"s":"SOLUSD_PERP",'
                '"p":"180.3","ap":"180.2","P":"180.1","i":"180.2","r":"0.0001","T":1795132800000,"st":2}]}'
            ),
        ),
        [(Stream.MARK_PRICE, UM, (US, LOCAL, 180.21, None)), (Stream.INDEX_PRICE, UM, (US, LOCAL, 180.26, None))],
    ),
    "REST openInterest": (
        ('{"openInterest":"93812.114","symbol":"SOLUSDT","time":1795111222000}',),
        [(Stream.OPEN_INTEREST, UM, (US, LOCAL, 93812.114, None))],
    ),
    "a quarterly": (
        (
            (
                '{"stream":"solusdt_261225@bookTicker","data":{"e":"bookTicker","u":9001,"s":"SOLUSDT_261225","ps":"SOLUSDT",'
                '"b":"180.20","B":"3.5","a":"180.30","A":"4","T":1795111222000,"E":1795111222003,"st":1}}'
            ),
        ),
        [(Stream.QUOTES, "future-SOL-USDT:USDT-20261225", (US, LOCAL, 180.2, 3.5, 180.3, 4.0, 9001))],
    ),
}
SPOTS: dict[str, tuple[tuple[str, ...], Told]] = {
    "trade, µs": (
        (
            (
                '{"stream":"solusdt@trade","data":{"e":"trade","E":1795111222000456,"s":"SOLUSDT","t":55,"p":"180.26000000",'
                '"q":"0.10000000","T":1795111222000123,"m":true,"M":true}}'
            ),
        ),
        [(Stream.TRADES, SPOT, (US + 123, LOCAL, "55", "sell", 180.26, 0.1, 55))],
    ),
    "aggTrade": (
        (
            (
                '{"stream":"solusdt@aggTrade","data":{"e":"aggTrade","E":1795111222000456,"s":"SOLUSDT","a":9,"p":"180.26",'
                '"q":"0.4","f":55,"l":57,"T":1795111222000123,"m":false,"M":true}}'
            ),
        ),
        [(Stream.TRADES, SPOT, (US + 123, LOCAL, "9", "buy", 180.26, 0.4, 57))],
    ),
    "bookTicker": (
        (
            (
                '{"stream":"solusdt@bookTicker","data":{"u":8123,"s":"SOLUSDT","b":"180.20000000","B":"3.50000000",'
                '"a":"180.21000000","A":"0.88000000"}}'
            ),
        ),
        [(Stream.QUOTES, SPOT, (LOCAL, LOCAL, 180.2, 3.5, 180.21, 0.88, 8123))],
    ),
    "depth": (
        (
            (
                '{"stream":"solusdt@depth@100ms","data":{"e":"depthUpdate","E":1795111222000101,"s":"SOLUSDT","U":490,"u":501,'
                '"b":[["180.20000000","3.50000000"]],"a":[["180.90000000","0.00000000"]]}}'
            ),
            '{"lastUpdateId":500,"bids":[["180.10000000","1.00000000"]],"asks":[["180.30000000","4.00000000"]]}',
            (
                '{"stream":"solusdt@depth@100ms","data":{"e":"depthUpdate","E":1795111222000200,"s":"SOLUSDT","U":502,"u":503,'
                '"b":[],"a":[["180.30000000","5.00000000"]]}}'
            ),
        ),
        [(Stream.BOOK, SPOT, (US + 200, LOCAL, 180.2, 3.5, 180.1, 1.0, 180.3, 5.0, None, None, 25, 503))],
    ),
}
OKX: dict[str, tuple[tuple[str, ...], Told]] = {
    "trades-all": (
        (
            (
                '{"arg":{"channel":"trades-all","instId":"SOL-USDT-SWAP"},"data":[{"instId":"SOL-USDT-SWAP","tradeId":"31",'
                '"px":"180.2","sz":"0.2","side":"sell","source":"0","ts":"1795111222000"}]}'
            ),
        ),
        [(Stream.TRADES, SWAP, (US, LOCAL, "31", "sell", 180.2, 0.2, 31))],
    ),
    "trades": (
        (
            (
                '{"arg":{"channel":"trades","instId":"SOL-USDT-SWAP"},"data":[{"instId":"SOL-USDT-SWAP","tradeId":"33",'
                '"px":"180.2","sz":"0.6","side":"buy","ts":"1795111222000","count":"2","source":"1","seqId":991}]}'
            ),
        ),
        [(Stream.TRADES, SWAP, (US, LOCAL, "33", "buy", 180.2, 0.6, 33))],
    ),
    "bbo-tbt": (
        (
            (
                '{"arg":{"channel":"bbo-tbt","instId":"SOL-USDT-SWAP"},"data":[{"asks":[["180.3","12","0","5"]],'
                '"bids":[["180.2","31","0","7"]],"ts":"1795111222000","seqId":450}]}'
            ),
        ),
        [(Stream.QUOTES, SWAP, (US, LOCAL, 180.2, 31.0, 180.3, 12.0, 450))],
    ),
    "books, with its snapshot": (
        (
            (
                '{"arg":{"channel":"books","instId":"SOL-USDT-SWAP"},"action":"snapshot","data":[{"asks":[["180.3","4","0","1"]],'
                '"bids":[["180.2","3","0","2"]],"ts":"1795111221900","checksum":0,"seqId":440,"prevSeqId":-1}]}'
            ),
            (
                '{"arg":{"channel":"books","instId":"SOL-USDT-SWAP"},"action":"update","data":[{"asks":[["180.3","0","0","0"],'
                '["180.4","9","0","1"]],"bids":[],"ts":"1795111222000","checksum":0,"seqId":450,"prevSeqId":440}]}'
            ),
        ),
        [
            (
                Stream.BOOK,
                SWAP,
                (US - 100_000, LOCAL, 180.2, 3.0, None, None, 180.3, 4.0, None, None, 25, 440),
            ),
            (Stream.QUOTES, SWAP, (US - 100_000, LOCAL, 180.2, 3.0, 180.3, 4.0, 440)),
            (Stream.BOOK, SWAP, (US, LOCAL, 180.2, 3.0, None, None, 180.4, 9.0, None, None, 25, 450)),
            (Stream.QUOTES, SWAP, (US, LOCAL, 180.2, 3.0, 180.4, 9.0, 450)),
        ],
    ),
    "mark-price": (
        (
            (
                '{"arg":{"channel":"mark-price","instId":"SOL-USDT-SWAP"},"data":[{"instType":"SWAP",'
                '"instId":"SOL-USDT-SWAP","markPx":"180.21","ts":"1795111222000"}]}'
            ),
        ),
        [(Stream.MARK_PRICE, SWAP, (US, LOCAL, 180.21, None))],
    ),
    "index-tickers": (
        (
            (
                '{"arg":{"channel":"index-tickers","instId":"SOL-USDT"},"data":[{"instId":"SOL-USDT","idxPx":"180.26",'
                '"open24h":"1","high24h":"2","low24h":"1","sodUtc0":"1","sodUtc8":"1","ts":"1795111222000"}]}'
            ),
        ),
        [(Stream.INDEX_PRICE, SWAP, (US, LOCAL, 180.26, None))],
    ),
    "funding-rate": (
        (
            (
                '{"arg":{"channel":"funding-rate","instId":"SOL-USDT-SWAP"},"data":[{"instType":"SWAP",'
                '"instId":"SOL-USDT-SWAP","fundingRate":"-0.000025","fundingTime":"1795132800000","nextFundingRate":"",'
                '"nextFundingTime":"1795161600000","premium":"-0.0001","interestRate":"0.0001","impactValue":"20000",'
                '"formulaType":"withRate","method":"current_period","maxFundingRate":"0.00375","minFundingRate":"-0.00375",'
                '"settFundingRate":"0.00005","settState":"settled","ts":"1795111222000"}]}'
            ),
        ),
        [(Stream.FUNDING_RATE, SWAP, (US, LOCAL, -0.000025, FUNDING * 1000, None))],
    ),
    "open-interest": (
        (
            (
                '{"arg":{"channel":"open-interest","instId":"SOL-USDT-SWAP"},"data":[{"instType":"SWAP",'
                '"instId":"SOL-USDT-SWAP","oi":"2890.4","oiCcy":"28901.5","oiUsd":"5200000","ts":"1795111222000"}]}'
            ),
        ),
        [(Stream.OPEN_INTEREST, SWAP, (US, LOCAL, 28901.5, None))],
    ),
}
HYPERLIQUID: dict[str, tuple[tuple[str, ...], Told]] = {
    "trades": (
        (
            (
                '{"channel":"trades","data":[{"coin":"SOL","side":"A","px":"180.2","sz":"0.5","time":1795111222000,'
                '"hash":"0x7a","tid":104,"users":["0x9a","0x82"]}]}'
            ),
        ),
        [(Stream.TRADES, COIN, (US, LOCAL, "104", "sell", 180.2, 0.5, None))],
    ),
    "bbo": (
        (
            (
                '{"channel":"bbo","data":{"coin":"SOL","time":1795111222000,"bbo":[{"px":"180.2","sz":"10","n":3},'
                '{"px":"180.3","sz":"50.5","n":1}]}}'
            ),
        ),
        [(Stream.QUOTES, COIN, (US, LOCAL, 180.2, 10.0, 180.3, 50.5, None))],
    ),
    "l2Book": (
        (
            (
                '{"channel":"l2Book","data":{"coin":"SOL","time":1795111222000,"levels":[[{"px":"180.2","sz":"10","n":3}],'
                '[{"px":"180.3","sz":"50","n":1},{"px":"180.4","sz":"7","n":1}]]}}'
            ),
        ),
        [
            (Stream.BOOK, COIN, (US, LOCAL, 180.2, 10.0, None, None, 180.3, 50.0, 180.4, 7.0, 25, None)),
            (Stream.QUOTES, COIN, (US, LOCAL, 180.2, 10.0, 180.3, 50.0, None)),
        ],
    ),
    "fast l2Book": (
        (
            (
                '{"channel":"l2Book","data":{"coin":"SOL","time":1795111222000,"levels":[[{"px":"180.2","sz":"10","n":3}],'
                '[{"px":"180.3","sz":"50","n":1}]],"fast":true}}'
            ),
        ),
        [
            (Stream.BOOK, COIN, (US, LOCAL, 180.2, 10.0, None, None, 180.3, 50.0, None, None, 5, None)),
            (Stream.QUOTES, COIN, (US, LOCAL, 180.2, 10.0, 180.3, 50.0, None)),
        ],
    ),
    "activeAssetCtx of a dead book": (
        (
            (
                '{"channel":"activeAssetCtx","data":{"coin":"SOL","ctx":{"funding":"0.0000018","openInterest":"36585.5",'
                '"prevDayPx":"186.0","dayNtlVlm":"41.0","premium":null,"oraclePx":"180.26","markPx":"180.21",'
                '"midPx":null,"impactPxs":null,"dayBaseVlm":"49.5"}}}'
            ),
        ),
        [
            (Stream.MARK_PRICE, COIN, (LOCAL, LOCAL, 180.21, None)),
            (Stream.INDEX_PRICE, COIN, (LOCAL, LOCAL, 180.26, None)),
            (Stream.FUNDING_RATE, COIN, (LOCAL, LOCAL, 0.0000018, None, None)),
            (Stream.OPEN_INTEREST, COIN, (LOCAL, LOCAL, 36585.5, None)),
        ],
    ),
}
CHANNELS = [
    pytest.param(exchange, *case, id=f"{exchange} {name}")
    for exchange, cases in (
        (Exchange.BINANCE_FUTURES, FUTURES),
        (Exchange.BINANCE, SPOTS),
        (Exchange.OKX_PERPS, OKX),
        (Exchange.HYPERLIQUID_PERPS, HYPERLIQUID),
    )
    for name, case in cases.items()
]


@pytest.mark.parametrize(("exchange", "frames", "expected"), CHANNELS)
def test_a_frame_of_every_channel(exchange: Exchange, frames: tuple[str, ...], expected: Told) -> None:
    assert told(read(exchange, *frames)) == expected
    assert {str(Symbol.parse(symbol)) for _, symbol, _ in expected} == {symbol for _, symbol, _ in expected}


@pytest.mark.parametrize(("exchange", "frames", "expected"), CHANNELS)
def test_the_same_frame_with_spaces_and_further_fields(
    exchange: Exchange, frames: tuple[str, ...], expected: Told
) -> None:
    further = '"zz":{"b":[["1","2"]],"a":[]},'
    wider = [
        frame.replace(",", ", ").replace(":[", ": [").replace('{"e"', "{" + further + '"e"', 1).replace("{", "{ ", 1)
        for frame in frames
    ]
    assert told(read(exchange, *wider)) == expected


@pytest.mark.parametrize(
    ("exchange", "frame", "kind"),
    [
        (Exchange.BINANCE_FUTURES, '{"result":null,"id":1}', "acknowledgement"),
        (Exchange.BINANCE_FUTURES, '{"error":{"code":4,"msg":"Too many subscriptions"},"id":3}', "error"),
        (Exchange.BINANCE_FUTURES, '{"error":{"code":2,"msg":"no"}}', "error"),
        (
            Exchange.BINANCE_FUTURES,
            (
                '{"stream":"!contractInfo","data":{"e":"contractInfo","E":1795111222000,"s":"SOLUSDT","ct":"PERPETUAL",'
                '"dt":4133404800000,"ot":1598252400000,"cs":"TRADING","bks":[],"st":1}}'
            ),
            "!contractInfo",
        ),
        (
            Exchange.BINANCE_FUTURES,
            (
                '{"stream":"!bookTicker","data":{"e":"bookTicker","u":9,"s":"SOLUSD_261225","ps":"SOLUSD","b":"1","B":"1",'
                '"a":"2","A":"1","T":1795111222000,"E":1795111222000,"st":2}}'
            ),
            "coin_margined",
        ),
        (
            Exchange.BINANCE_FUTURES,
            (
                '{"stream":"solusd_perp@trade","data":{"e":"trade","E":1795111222000,"T":1795111222000,"s":"SOLUSD_PERP",'
                '"t":8,"p":"1","q":"1","X":"MARKET","m":false}}'
            ),
            "coin_margined",
        ),
        (Exchange.BINANCE_FUTURES, FUTURES_DEPTH.replace('"st":1', '"st":2') % (1, 2, 0), "coin_margined"),
        (Exchange.BINANCE, '{"code":2,"msg":"Invalid request: unknown field"}', "error"),
        (
            Exchange.BINANCE,
            '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1795111222000000}}',
            "!serverShutdown",
        ),
        (
            Exchange.BINANCE,
            (
                '{"stream":"solusdt@blockTrade","data":{"e":"trade","E":1795111222000,"s":"SOLUSDT","t":8,"p":"1","q":"9",'
                '"T":1795111222000,"m":false}}'
            ),
            "blockTrade",
        ),
        (Exchange.OKX_PERPS, "pong", "pong"),
        (
            Exchange.OKX_PERPS,
            '{"id":"1","event":"subscribe","arg":{"channel":"books","instId":"SOL-USDT-SWAP"},"connId":"a4"}',
            "acknowledgement",
        ),
        (Exchange.OKX_PERPS, '{"event":"error","code":"60018","msg":"wrong","connId":"a4"}', "error"),
        (Exchange.OKX_PERPS, '{"event":"notice","code":"64008","msg":"closing","connId":"a4"}', "notice"),
        (
            Exchange.OKX_PERPS,
            '{"event":"channel-conn-count","channel":"orders","connCount":"2","connId":"a4"}',
            "channel-conn-count",
        ),
        (Exchange.OKX_PERPS, '{"code":"50011","msg":"Too Many Requests"}', "error"),
        (
            Exchange.OKX_PERPS,
            '{"arg":{"channel":"books-rpi","instId":"SOL-USDT-SWAP"},"action":"update","data":[{"asks":[],"bids":[]}]}',
            "books-rpi",
        ),
        (Exchange.HYPERLIQUID_PERPS, '{"channel":"pong"}', "pong"),
        (Exchange.HYPERLIQUID_PERPS, '{"channel":"error","data":"Already subscribed: {}"}', "error"),
        (
            Exchange.HYPERLIQUID_PERPS,
            '{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"trades","coin":"SOL"}}}',
            "subscriptionResponse",
        ),
        (Exchange.HYPERLIQUID_PERPS, '{"channel":"fastAssetCtxs","data":"bZFB"}', "fastAssetCtxs"),
        (Exchange.HYPERLIQUID_PERPS, '{"channel":"post","data":{"id":1,"response":{}}}', "post"),
        (Exchange.HYPERLIQUID_PERPS, '{"channel":"l2","data":"q1Yq"}', "l2"),
        (Exchange.HYPERLIQUID_PERPS, '{"channel":"outcomeMetaUpdates","data":[]}', "outcomeMetaUpdates"),
        (Exchange.HYPERLIQUID_PERPS, '{"channel":"allDexsAssetCtxs","data":{"ctxs":[]}}', "allDexsAssetCtxs"),
    ],
)
def test_what_is_no_tick_is_counted(exchange: Exchange, frame: str, kind: str) -> None:
    sink = read(exchange, frame, frame)
    assert sink.ticks == []
    assert dict(sink.counts) == {("ignored", kind): 2}


def test_a_frame_cut_off_behind_a_brace_is_refused_though_its_channel_is_ignored() -> None:
    with pytest.raises(RejectedFrameError) as caught:
        read(
            Exchange.BINANCE_FUTURES,
            '{"stream":"solusdt@ticker","data":{"e":"24hrTicker","s":"SOLUSDT"}}',
            '{"stream":"solusdt@ticker","data":{"e":"24hrTicker","o":{"s":"SOLUSDT"}',
        )
    assert caught.value.code == "malformed"


@pytest.mark.parametrize("rest_first", [True, False])
def test_an_okx_book_without_a_snapshot_of_its_channel_begins_with_a_rest_answer(*, rest_first: bool) -> None:
    updates = [
        '{"arg":{"channel":"books","instId":"SOL-USDT-SWAP"},"action":"update","data":[{"asks":[],'
        f'"bids":[["180.{number}","1","0","1"]],"ts":"1795111222000","checksum":0,"seqId":{number},"prevSeqId":{before}}}]}}'
        for before, number in ((1, 3), (3, 5), (5, 8))
    ]
    answer = (
        b'{"code":"0","msg":"","data":[{"asks":[["181","4","0","1"]],"bids":[["180","2","0","1"]],'
        b'"ts":"1795111221000","seqId":4}]}'
    )
    url = "https://www.okx.com/api/v5/market/books?instId=SOL-USDT-SWAP&sz=400"
    seed = venue_of(Exchange.OKX_PERPS).response_frame(url, answer)
    assert seed is not None
    frames = [seed.decode(), *updates] if rest_first else [*updates[:2], seed.decode(), updates[2]]
    sink = read(Exchange.OKX_PERPS, *frames)
    rows = sink.only(Stream.BOOK)
    assert [row[-1] for row in rows] == ([5, 8] if rest_first else [8])
    assert rows[-1][2:8] == (180.8, 1.0, 180.5, 1.0, 180.0, 2.0)
