"""Answers by example, one an endpoint."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

from aperiodic.accounts.usage import UsageDay
from aperiodic.catalog import DATASETS
from aperiodic.server.api.account import (
    AccountAnswer,
    Limits,
    NewKey,
    PlanEntry,
    RotatedKey,
)
from aperiodic.server.api.conditions import CauseEntry, ConditionsAnswer, DayEntry
from aperiodic.server.api.coverage import CoverageAnswer, EarlierEntry, GapEntry, MonthEntry, SeriesEntry
from aperiodic.server.api.data import DataAnswer, FileEntry
from aperiodic.server.api.metadata import CatalogAnswer, FieldEntry, MetricEntry, SymbolsAnswer
from aperiodic.server.api.raw import RawAnswer, RawFileEntry
from aperiodic.server.api.raw_metadata import (
    RawColumnEntry,
    RawCoverageEntry,
    RawDatasetEntry,
    RawMetadataAnswer,
    RawSummaryEntry,
)

__all__ = [
    "ACCOUNT",
    "CATALOG",
    "CONDITIONS",
    "COVERAGE",
    "DATA",
    "NEW_KEY",
    "RAW",
    "RAW_METADATA",
    "ROTATED",
    "SYMBOLS",
]

_BTC: Final = "perpetual-BTC-USDT:USDT"
_VENUE: Final = "binance-futures"
_ID: Final = "4bf92f3577b34da6"
_DIGEST: Final = "3c5a79d1f0e2b48697d6c1a8350f9be7246d80acf35e1b79c2d4068fa17be953"
_SIGNATURE: Final = "9f2c61d07be4a85310c7f6d92e8ab45d7013c6ef58a29b4d6e1f0c83b75a2d94"

DATA: Final = DataAnswer(
    files=[
        FileEntry(
            year=2025,
            month=5,
            url=f"https://data.example/files/bars/ohlcv/timestamp=exchange/interval=5m/exchange={_VENUE}"
            f"/symbol={_BTC}/year=2025/month=05/{_DIGEST[:16]}.parquet?expires=1764678900&signature={_SIGNATURE}",
            size=412_803,
            sha256=_DIGEST,
            rows=8_928,
            revision=1,
            reason="first build",
            published_at="2025-06-01T00:12:44.120000+00:00",
            complete=True,
            gaps=0,
            days_missing=[],
            source="recording",
        )
    ],
    missing=[],
    expires_in=300,
    source="recording",
    request_id=_ID,
)

RAW: Final = RawAnswer(
    dataset="trades",
    exchange=_VENUE,
    symbol=_BTC,
    schema_version=1,
    expires_in=3600,
    files=[
        RawFileEntry(
            period="2025-05-01",
            url=f"https://data.example/files/ticks/trades/exchange={_VENUE}/symbol={_BTC}/year=2025/month=05/day=01"
            f"/{_DIGEST[:16]}.parquet?expires=1764682200&signature={_SIGNATURE}",
            size=38_114_902,
            sha256=_DIGEST,
            rows=3_120_544,
            revision=1,
            source="recording",
            exchange_timestamp_kind="matching_engine",
            gaps=0,
        )
    ],
    missing_periods=["2025-05-02"],
    source="recording",
    request_id=_ID,
)

SYMBOLS: Final = SymbolsAnswer(symbols=[_BTC, "perpetual-ETH-USDT:USDT"], exchange=_VENUE)

_ohlcv = DATASETS["ohlcv"]
_close = next(field for field in _ohlcv.fields if field.name == "close")

CATALOG: Final = CatalogAnswer(
    [
        MetricEntry(
            id=_ohlcv.id,
            name=_ohlcv.name,
            description=_ohlcv.description,
            category=_ohlcv.category,
            tier=_ohlcv.tier,
            driving=_ohlcv.driving,
            intervals=["1m", "5m", "1h", "1d"],
            timestamps=["exchange", "true"],
            fields=[
                FieldEntry(
                    name=_close.name,
                    label=_close.label,
                    description=_close.description,
                    unit=_close.unit,
                    formula=_close.formula,
                    null=_close.null,
                    type=str(_close.dtype),
                    highlight=_close.highlight,
                )
            ],
        )
    ],
    exchanges=[_VENUE],
)

COVERAGE: Final = CoverageAnswer(
    exchange=_VENUE,
    series=[
        SeriesEntry(
            exchange=_VENUE,
            symbol=_BTC,
            metric="ohlcv",
            stream="trades",
            source="recording",
            intervals={"exchange": ["5m", "1h"], "true": ["5m", "1h"]},
            first_day=date(2025, 5, 1),
            last_day=date(2025, 5, 31),
            missing_days=[date(2025, 5, 17)],
            missing_days_total=1,
            gaps=[
                GapEntry(
                    start=datetime(2025, 5, 9, 4, 0, 1, 120_000, UTC),
                    end=datetime(2025, 5, 9, 4, 0, 3, 480_000, UTC),
                    stream="trades",
                    cause="sequence_break",
                    first_missing=6_100_204_113,
                    last_missing=6_100_204_131,
                )
            ],
            gaps_total=1,
            numbered_from=datetime(2025, 5, 1, tzinfo=UTC),
            numbered_to=datetime(2025, 6, 1, tzinfo=UTC),
            complete=False,
            files=4,
            rows=19_344,
            bytes=921_660,
            missing_months=[],
            months=[
                MonthEntry(
                    month="2025-05",
                    complete=False,
                    gaps=1,
                    missing_days=1,
                    source="recording",
                    files=4,
                    rows=19_344,
                    bytes=921_660,
                    revision=2,
                    published_at=datetime(2025, 6, 4, 8, 30, tzinfo=UTC),
                    reason="new ticks",
                    earlier=[
                        EarlierEntry(
                            revision=1,
                            reason="first build",
                            published_at=datetime(2025, 6, 1, 0, 12, tzinfo=UTC),
                            replaced_at=datetime(2025, 6, 4, 8, 30, tzinfo=UTC),
                            replaced_because="new ticks",
                        )
                    ],
                )
            ],
        )
    ],
    next=None,
    request_id=_ID,
)

CONDITIONS: Final = ConditionsAnswer(
    exchange=_VENUE,
    symbol=_BTC,
    metric="ohlcv",
    stream="trades",
    start_date=date(2025, 5, 9),
    end_date=date(2025, 5, 9),
    summary={"available": 0, "degraded": 1, "partial": 0, "missing": 0},
    days=[
        DayEntry(
            day=date(2025, 5, 9),
            condition="degraded",
            source="recording",
            causes=[
                CauseEntry(
                    code="gap",
                    detail="sequence_break",
                    count=1,
                    start=datetime(2025, 5, 9, 4, 0, 1, 120_000, UTC),
                    end=datetime(2025, 5, 9, 4, 0, 3, 480_000, UTC),
                    per_file=False,
                )
            ],
        )
    ],
    request_id=_ID,
)

RAW_METADATA: Final = RawMetadataAnswer(
    datasets={
        "trades": RawDatasetEntry(
            columns=[RawColumnEntry("price", "Float64", "quote units per base unit", "Price of the trade.")],
            schema_version=1,
        )
    },
    summary=[
        RawSummaryEntry(
            dataset="trades",
            exchange=_VENUE,
            symbols=1,
            first=date(2025, 5, 1),
            last=date(2025, 5, 31),
            days=30,
            missing=1,
            bytes=1_143_447_060,
            source="recording",
            exchange_timestamp_kind="matching_engine",
        )
    ],
    coverage={
        "trades": {
            _VENUE: {_BTC: RawCoverageEntry(date(2025, 5, 1), date(2025, 5, 31), 30, 1, 1_143_447_060, "recording")}
        }
    },
    request_id=_ID,
)

NEW_KEY: Final = NewKey(
    key="ap_live_0123456789ab_(40 letters and digits)", public_id="0123456789ab", plan="free", request_id=_ID
)

ROTATED: Final = RotatedKey(
    key="ap_live_ba9876543210_(40 letters and digits)",
    public_id="ba9876543210",
    plan="pro",
    expires_at=None,
    replaces="0123456789ab",
    replaced_expires_at="2025-06-02T00:00:00Z",
    request_id=_ID,
)

ACCOUNT: Final = AccountAnswer(
    public_id="0123456789ab",
    account="research",
    label="notebook",
    plan=PlanEntry(name="pro", tier=2, sub_minute=False, raw=False, live=2, requests_per_minute=600),
    scopes=["bars", "raw"],
    expires_at=None,
    replaced_by=None,
    usage=[UsageDay("2025-06-01", 14, 168, 69_350_904)],
    limits=Limits(requests_per_minute=600, remaining=599, reset_s=1),
    request_id=_ID,
)
