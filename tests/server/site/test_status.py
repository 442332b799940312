from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy.exc import OperationalError
from tests.server.in_process import App, application

from aperiodic.completeness.causes import Cause, CauseCode, DayCondition
from aperiodic.completeness.gaps import Span, add_spans
from aperiodic.completeness.tick_days import read_tick_days
from aperiodic.lake import NewObject, ObjectKey
from aperiodic.lake.ledger import begin_write
from aperiodic.market import Clock, Exchange, Interval, Source, Stream, Symbol
from aperiodic.server.site.day_ranges import cause_words, join_days
from aperiodic.server.site.incidents import MOST_INCIDENTS, Incidents, read_incidents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from aperiodic.lake import Lake

ATOM = "{http://www.w3.org/2005/Atom}"
VENUE = Exchange.BINANCE_FUTURES
BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
ETH = Symbol.parse("perpetual-ETH-USDT:USDT")
FEED = "/status/incidents.atom"
DAY_US = 86_400_000_000


def at(day: date, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


def put_days(
    lake: Lake, symbol: Symbol, days: list[date], source: Source = Source.RECORDING, *, late: bool = False
) -> None:
    batch = lake.batch()
    for day in days:
        key = ObjectKey.ticks(Stream.TRADES, VENUE, symbol, day)
        last = at(day) + DAY_US - 1_000_000
        new = NewObject(
            key=key,
            rows=1,
            source=source,
            fingerprint=f"{day}",
            reason="test",
            last_exchange=last,
            last_local=last + 90_000_000 * late,
        )
        batch.put(new, f"{symbol} {day}".encode())
    batch.commit()


def put_month(lake: Lake, dataset: str, content: str, reason: str) -> None:
    key = ObjectKey.bars(dataset, Clock.EXCHANGE, Interval.M5, VENUE, BTC, date(2025, 5, 1))
    batch = lake.batch()
    batch.put(NewObject(key=key, rows=7, source=Source.RECORDING, fingerprint=content, reason=reason), content.encode())
    batch.commit()


def span(lake: Lake, symbol: Symbol, *stretches: tuple[int, int, int, int]) -> None:
    spans = [Span(*stretch, "sequence_break") for stretch in stretches]
    with begin_write(lake.engine) as connection:
        add_spans(connection, VENUE, symbol, Stream.TRADES, spans)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """May 2025 of BTC with a gap on the 9th and without the 17th; two datasets revised, one more without ticks."""
    with application(tmp_path_factory.mktemp("home"), public_url="https://data.example") as made:
        days = [date(2025, 5, 1) + timedelta(days=age) for age in range(31)]
        put_days(made.lake, BTC, [day for day in days if day.day != 17])
        gap = date(2025, 5, 9)
        span(
            made.lake,
            BTC,
            (0, 100, at(days[0]), at(gap, 4)),
            (150, 900, at(gap, 4, 30), at(days[-1]) + DAY_US - 1_000_000),
        )
        for dataset in ("ohlcv", "flow"):
            put_month(made.lake, dataset, f"{dataset} 1", "first build")
            put_month(made.lake, dataset, f"{dataset} 2", "late file & <more>")
        put_days(made.lake, ETH, [date(2025, 4, 30)], Source.SIMULATED)
        yield made


def page(app: App, query: str = "", status: int = 200) -> str:
    answer = app.client.get(f"/status{query}")
    assert answer.status_code == status
    return answer.text


def section(text: str, name: str) -> str:
    """Return what stands below a heading, up to the next one of the same or a higher rank."""
    return text.split(f'id="{name}"')[1].split("<h3", maxsplit=1)[0].split("<h2", maxsplit=1)[0]


def entries(answer: httpx.Response) -> list[ET.Element]:
    return ET.fromstring(answer.content).findall(f"{ATOM}entry")  # noqa: S314 - what our own server wrote


def texts(found: list[ET.Element], name: str) -> list[str]:
    return [entry.findtext(f"{ATOM}{name}") or "" for entry in found]


def test_the_page_shows_the_gap_with_its_cause_and_times(app: App) -> None:
    gaps = section(page(app, f"?exchange={VENUE}&symbol={BTC}&stream=trades"), "gaps")
    assert "2025-05-09 04:00:00" in gaps
    assert "2025-05-09 04:30:00" in gaps
    assert "sequence break" in gaps
    assert "101 to 150" in gaps


def test_days_are_counted_by_condition_and_explained(app: App) -> None:
    days = section(page(app, f"?symbol={BTC}&stream=trades"), "days")
    counts = [int(piece.split("</dd>")[0]) for piece in days.split("<dd>")[1:]]
    assert counts == [29, 0, 1, 1]
    assert 'title="2025-05-17: missing"' in days
    assert "1 gap: lost within a recording" in days
    assert "no ticks" in days


def test_freshness_completeness_and_revisions(app: App) -> None:
    text = page(app, f"?symbol={BTC}")
    assert "2025-05-31 23:59:59" in section(text, "streams")
    assert "0 of 1" in section(text, "datasets")
    revisions = section(text, "revisions")
    assert "late file &amp; &lt;more&gt;" in revisions
    assert "flow, ohlcv" in revisions
    assert revisions.index("late file") < revisions.index("first build")
    assert "replaced" in revisions


def test_simulated_data_is_marked(app: App) -> None:
    assert '<span class="chip warm">simulated</span>' in section(page(app, f"?symbol={ETH}"), "streams")
    assert '<span class="chip warm">simulated</span>' not in section(page(app, f"?symbol={BTC}"), "streams")


def test_a_symbol_of_the_query_is_named_as_text(app: App) -> None:
    text = page(app, "?symbol=%3Cscript%3Ealert(1)%3C/script%3E", status=404)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_nul_and_overlong_queries_are_answered(app: App) -> None:
    page(app, "?symbol=%00", status=404)
    page(app, f"?after={'z' * 3000}")


def test_unknown_values_name_the_nearest(app: App) -> None:
    text = page(app, "?exchange=binance-future&symbol=perpetual-BTC-USDT&stream=trade&until=soon", status=404)
    told = section(text, "instruments").split('role="alert"')[1].split("</div>")[0]
    for expected in (
        f"Did you mean &#39;{VENUE}&#39;",
        f"Did you mean &#39;{BTC}&#39;",
        "&#39;trades&#39;",
        "is no day",
    ):
        assert expected in told


def test_a_venue_without_data_says_so(app: App) -> None:
    assert "Nothing of okx-perps is held" in page(app, "?exchange=okx-perps")


def test_instruments_come_in_pages(tmp_path: Path) -> None:
    with application(tmp_path / "home") as many:
        symbols = [Symbol.parse(f"perpetual-A{number:02d}-USDT:USDT") for number in range(12)]
        for symbol in symbols:
            put_days(many.lake, symbol, [date(2025, 5, 1)])
        first = section(page(many), "instruments")
        assert [str(symbol) for symbol in symbols if f">{symbol}</a>" in first] == [str(s) for s in symbols[:10]]
        link = first.split('href="')[-1].split('"')[0].replace("&amp;", "&").removesuffix("#instruments")
        second = section(many.client.get(link).text, "instruments")
        assert [str(symbol) for symbol in symbols if f">{symbol}</a>" in second] == [str(s) for s in symbols[10:]]


def test_earlier_days_are_a_link_away(tmp_path: Path) -> None:
    with application(tmp_path / "home") as long:
        put_days(long.lake, BTC, [date(2024, 1, 1), date(2025, 5, 1)])
        now = section(page(long, "?stream=trades"), "days")
        assert "2024-05-01 to 2025-05-01" in now
        assert "until=2024-04-30" in now
        before = section(page(long, "?stream=trades&until=2024-04-30"), "days")
        assert "2024-01-01 to 2024-04-30" in before
        assert "until=2025-05-01" in before


def test_an_empty_installation_has_a_page_and_a_feed(tmp_path: Path) -> None:
    with application(tmp_path / "home") as empty:
        text = page(empty)
        assert "All parts answer" in text
        assert "holds no data yet" in text
        assert entries(empty.client.get(FEED)) == []


def test_the_page_says_that_the_ledger_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with application(tmp_path / "home") as broken:

        def fail() -> None:
            raise OperationalError("select", {}, OSError("gone"))

        monkeypatch.setattr(broken.lake.engine, "connect", fail)
        text = page(broken, status=503)
        assert "Ledger does not answer" in text


def test_the_page_names_its_feed(app: App) -> None:
    assert f'href="{FEED}" type="application/atom+xml"' in page(app)


def test_the_feed_holds_gaps_days_and_revisions_newest_first(app: App) -> None:
    answer = app.client.get(FEED)
    assert answer.headers["content-type"].startswith("application/atom+xml")
    found = entries(answer)
    assert texts(found, "title") == [
        f"{VENUE} {BTC} 2025-05: revision 2",
        f"{VENUE} {BTC} trades: missing, 2025-05-17",
        f"{VENUE} {BTC} trades: partial, 2025-05-09",
    ]
    updated = texts(found, "updated")
    assert updated == sorted(updated, reverse=True)
    assert updated[1:] == ["2025-05-18T00:00:00.000000Z", "2025-05-09T04:30:00.000000Z"]
    contents = texts(found, "content")
    assert contents[0] == "reason: late file & <more>\ndatasets: flow, ohlcv"
    assert contents[2] == "1 gap: lost within a recording"
    assert len(set(texts(found, "id"))) == 3
    for entry in found:
        link = entry.find(f"{ATOM}link")
        assert link is not None
        target = link.attrib["href"].removeprefix("https://data.example")
        assert app.client.get(target).status_code == 200


def test_ids_of_entries_are_the_same_in_every_process_and_under_every_name(app: App) -> None:
    first = entries(app.client.get(FEED))
    again = entries(app.client.get(FEED, headers={"Host": "other.example"}))
    assert texts(first, "id") == texts(again, "id")
    assert texts(first, "id")[1] == "urn:uuid:788420d5-e5f0-5375-a231-e400c62836ae"


def test_the_feed_is_sent_once(app: App) -> None:
    tag = app.client.get(FEED).headers["ETag"]
    answer = app.client.get(FEED, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert app.client.get(FEED, headers={"If-None-Match": '"other"'}).status_code == 200


def test_incidents_are_bounded_and_the_newest_are_kept(tmp_path: Path) -> None:
    with application(tmp_path / "home") as many:
        odd = [date(2025, 3, 1) + timedelta(days=2 * age) for age in range(46)]
        for base in ("A", "B", "C"):
            put_days(many.lake, Symbol.parse(f"perpetual-{base}-USDT:USDT"), odd)
        with many.lake.engine.connect() as connection:
            found = read_incidents(connection, read_tick_days(connection), date(2026, 1, 1))
        assert len(found) == MOST_INCIDENTS
        assert [incident.updated_at for incident in found] == sorted(
            (incident.updated_at for incident in found), reverse=True
        )
        assert {incident.symbol for incident in found[:3]} == {f"perpetual-{base}-USDT:USDT" for base in "ABC"}


def test_incidents_are_read_anew_after_a_while(tmp_path: Path) -> None:
    with application(tmp_path / "home") as app:
        seconds = [0.0]
        incidents = Incidents(app.lake.engine, lambda: seconds[0])

        def known() -> int:
            with app.lake.engine.connect() as connection:
                return len(incidents.get(read_tick_days(connection)))

        assert known() == 0
        put_days(app.lake, BTC, [date(2025, 5, 1), date(2025, 5, 3)])
        assert known() == 0
        seconds[0] = 15.0
        assert known() == 1


def test_today_is_no_incident(app: App) -> None:
    with app.lake.engine.connect() as connection:
        held = [row for row in read_tick_days(connection) if row.symbol == str(BTC)]
        found = read_incidents(connection, held, date(2025, 5, 17))
    assert [incident.kind for incident in found] == ["revised", "partial"]


def test_a_growing_stretch_stays_the_same_incident(tmp_path: Path) -> None:
    with application(tmp_path / "home") as growing:
        seen = []
        for day in (5, 6):
            put_days(growing.lake, BTC, [date(2025, 5, day)], late=True)
            with growing.lake.engine.connect() as connection:
                seen += read_incidents(connection, read_tick_days(connection), date(2026, 1, 1))
    before, after = seen
    assert before.key == after.key
    assert (before.title[-10:], after.title[-24:]) == ("2025-05-05", "2025-05-05 to 2025-05-06")
    assert after.updated_at > before.updated_at


def test_stretches_end_with_the_month_and_add_up_what_can_be_added() -> None:
    def gaps(count: int, first: int) -> Cause:
        return Cause(CauseCode.GAP, "no_snapshot", count, first, first + 5)

    def lines(count: int) -> Cause:
        return Cause(CauseCode.REJECTED_LINES, "bad_price", count, per_file=True)

    start = date(2025, 5, 30)
    days = [
        DayCondition(start, "recording", (gaps(2, 10), lines(3))),
        DayCondition(start + timedelta(days=1), "recording", (gaps(1, 90), lines(4))),
        DayCondition(start + timedelta(days=2), "recording", (gaps(1, 90), lines(4))),
        DayCondition(start + timedelta(days=3), "recording", ()),
    ]
    may, june = join_days(days)
    assert (may.first, may.last, june.first, june.last) == (start, days[1].day, days[2].day, days[2].day)
    assert (may.causes[0].count, may.causes[0].first_time, may.causes[0].last_time) == (3, 10, 95)
    assert [cause_words(cause) for cause in may.causes] == [
        "3 gaps: the order book could not be known",
        "lines that became no tick: bad price",
    ]
    assert cause_words(june.causes[1]) == "lines that became no tick: bad price (4 lines)"


@pytest.mark.parametrize("code", CauseCode)
def test_every_cause_has_words(code: CauseCode) -> None:
    assert cause_words(Cause(code, "some_detail", 2))


def test_the_page_of_a_dataset_tells_how_good_its_data_is(app: App) -> None:
    text = app.client.get("/catalog/ohlcv").text
    quality = text.partition('id="quality"')[2].partition("</section>")[0]
    told = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", quality))
    assert told == {
        "months complete": "0 of 1",
        "known gaps": "1",
        "days without ticks": "1",
        "days of ticks with arrivals over 60 s late": "0 of 30",
        "months published anew": "1",
    }
    assert "revision 2: late file &amp; &lt;more&gt;" in quality


def test_days_with_late_arrivals_are_counted(tmp_path: Path) -> None:
    with application(tmp_path) as made:
        put_days(made.lake, BTC, [date(2025, 5, 1)])
        put_days(made.lake, BTC, [date(2025, 5, 2)], late=True)
        put_month(made.lake, "ohlcv", "content", "first build")
        text = made.client.get("/catalog/ohlcv").text
    assert "<dt>days of ticks with arrivals over 60 s late</dt><dd>1 of 2</dd>" in text
