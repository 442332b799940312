// Charts: candles above, a metric below, one crosshair. Data comes from this host only.
import { CandlestickSeries, ColorType, CrosshairMode, createChart, uPlot } from "./vendor/charts.js";
import { isDark, onThemeChange } from "./site.js";

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Asks for bars of the shown slice; see /site/series. */
export async function series(parameters) {
  const answer = await fetch(`/site/series?${new URLSearchParams(parameters)}`);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}

/** Puts bars on a regular grid, so that an interval without a row is a gap in the line and not a bridge over it. */
export function onGrid(times, values, seconds) {
  const grid = [];
  const placed = [];
  for (let i = 0; i < times.length; i++) {
    if (i > 0 && times[i] - times[i - 1] > seconds) {
      grid.push(times[i - 1] + seconds);
      placed.push(null);
    }
    grid.push(times[i]);
    placed.push(values[i]);
  }
  return [grid, placed];
}

export function candles(place, data, height = 260) {
  place.replaceChildren();
  const chart = createChart(place, {
    autoSize: false,
    width: place.clientWidth,
    height,
    layout: {
      background: { type: ColorType.Solid, color: style("--ground") },
      textColor: style("--soft"),
      fontFamily: style("--sans"),
      attributionLogo: false,
    },
    grid: { vertLines: { color: style("--sunken") }, horzLines: { color: style("--sunken") } },
    crosshair: { mode: CrosshairMode.Normal },
    rightPriceScale: { borderColor: style("--line"), minimumWidth: 76 },
    timeScale: { borderColor: style("--line"), timeVisible: true, secondsVisible: false },
  });
  const bars = chart.addSeries(CandlestickSeries, {
    upColor: style("--up"),
    downColor: style("--down"),
    wickUpColor: style("--up"),
    wickDownColor: style("--down"),
    borderVisible: false,
  });
  bars.setData(
    data.price_times.map((time, i) => ({
      time,
      open: data.prices.open[i],
      high: data.prices.high[i],
      low: data.prices.low[i],
      close: data.prices.close[i],
    })),
  );
  chart.timeScale().fitContent();
  return { chart, bars };
}

/** Draws fields as lines; `seconds` is the length of a bar. */
export function lines(place, data, fields, { height = 160, sync } = {}) {
  place.replaceChildren();
  const [grid] = onGrid(data.times, data.times, data.seconds);
  const columns = fields.map((name) => onGrid(data.times, data.fields[name], data.seconds)[1]);
  const colours = [style("--accent"), style("--warm"), style("--down"), style("--up")];
  return new uPlot(
    {
      width: place.clientWidth,
      height,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
      cursor: { sync: sync ? { key: sync } : undefined, points: { size: 6 } },
      legend: { live: true },
      series: [
        { label: "UTC", value: (_, seconds) => (seconds == null ? "–" : new Date(seconds * 1e3).toISOString().slice(0, 16).replace("T", " ")) },
        ...fields.map((name, i) => ({
          label: name,
          stroke: colours[i % colours.length],
          width: 1.5,
          spanGaps: false,
          value: (_, value) => (value == null ? "null" : Number(value.toPrecision(8)).toLocaleString("en")),
        })),
      ],
      axes: [
        { stroke: style("--soft"), grid: { stroke: style("--sunken") }, ticks: { stroke: style("--line") } },
        { side: 1, size: 76, stroke: style("--soft"), grid: { stroke: style("--sunken") }, ticks: { stroke: style("--line") } },
      ],
    },
    [grid, ...columns],
    place,
  );
}

/** Candles with one field below, in sync, redrawn on resize and theme change. */
export async function pair(place) {
  const { metric, field, interval, timestamp = "exchange" } = place.dataset;
  const upper = document.createElement("div");
  const lower = document.createElement("div");
  place.replaceChildren(upper, lower);
  let data;
  try {
    data = await series({ metric, fields: field, interval, timestamp });
  } catch (error) {
    place.textContent = `The chart could not be loaded: ${error.message}`;
    return;
  }
  let drawn;
  const draw = () => {
    drawn?.chart.remove();
    drawn = candles(upper, data);
    const below = lines(lower, data, [field]);
    drawn.chart.subscribeCrosshairMove(({ time }) => {
      const at = time === undefined ? -1 : below.data[0].indexOf(time);
      if (at < 0) below.setCursor({ left: -10, top: -10 });
      else below.setCursor({ left: below.valToPos(time, "x"), top: 10 });
    });
    drawn.chart.timeScale().subscribeVisibleTimeRangeChange((range) => {
      if (range) below.setScale("x", { min: range.from, max: range.to });
    });
  };
  draw();
  onThemeChange(draw);
  let width = place.clientWidth;
  new ResizeObserver(() => {
    if (place.clientWidth !== width) {
      width = place.clientWidth;
      draw();
    }
  }).observe(place);
}

for (const place of document.querySelectorAll("[data-candles]")) pair(place);
