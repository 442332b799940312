// The two kinds of pane that a chart is stacked from: candles (lightweight-charts) and lines (uPlot).
// Both count intervals from the first one of the grid, so that a place in one is the same place in the other.
import { CandlestickSeries, ColorType, createChart, CrosshairMode, uPlot } from "./vendor/charts.js";
import { marks, priceDigits, timeMarks } from "./format.js";

/** Width of the scale at the right, px, unless the prices need more. */
export const MARGIN = 76;

/** Half the width of a mark of the time axis, px. */
const EDGE = 22;

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const face = () => `12px ${style("--sans")}`;
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Colours of the lines of a pane, in their order. */
export const colours = () => [style("--accent"), style("--warm"), style("--down"), style("--up")];

/** Returns every interval between the first and the last of some ascending times, s. */
export function gridOf(lists, seconds) {
  const held = lists.filter((times) => times.length);
  if (!held.length) return [];
  const first = Math.min(...held.map((times) => times[0]));
  const last = Math.max(...held.map((times) => times.at(-1)));
  return Array.from({ length: Math.round((last - first) / seconds) + 1 }, (_, i) => first + i * seconds);
}

/** Puts bars on a grid; an interval without a row becomes null, so that lines break there instead of bridging it. */
export function onGrid(grid, times, values, seconds) {
  const placed = new Array(grid.length).fill(null);
  times.forEach((time, i) => {
    placed[Math.round((time - grid[0]) / seconds)] = values[i];
  });
  return placed;
}

/** Draws candles; an interval without trades is an empty place. */
export function candlePane(place, { grid, prices, height, wheel, timeAxis }) {
  const digits = priceDigits(prices.close.find((price) => price !== null) ?? 1);
  const chart = createChart(place, {
    width: place.clientWidth,
    height,
    layout: {
      background: { type: ColorType.Solid, color: style("--ground") },
      textColor: style("--soft"),
      fontFamily: style("--sans"),
      attributionLogo: false,
    },
    localization: { locale: "en-GB" },
    grid: { vertLines: { visible: false }, horzLines: { color: style("--sunken") } },
    crosshair: {
      mode: CrosshairMode.Normal,
      vertLine: { color: style("--soft"), labelBackgroundColor: style("--none") },
      horzLine: { color: style("--soft"), labelBackgroundColor: style("--none") },
    },
    handleScroll: { mouseWheel: wheel, vertTouchDrag: false },
    handleScale: { mouseWheel: wheel, axisDoubleClickReset: { time: false, price: true } },
    kineticScroll: { touch: !calm(), mouse: false },
    rightPriceScale: { borderColor: style("--line"), minimumWidth: MARGIN, ensureEdgeTickMarksVisible: true },
    timeScale: { borderColor: style("--line"), visible: timeAxis, timeVisible: true, minBarSpacing: 0.01, fixLeftEdge: true, fixRightEdge: true },
  });
  const bars = chart.addSeries(CandlestickSeries, {
    upColor: style("--up"),
    downColor: style("--down"),
    wickUpColor: style("--up"),
    wickDownColor: style("--down"),
    borderVisible: false,
    priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits },
  });
  const { open, high, low, close } = prices;
  bars.setData(
    grid.map((time, i) =>
      close[i] === null ? { time } : { time, open: open[i], high: high[i], low: low[i], close: close[i] },
    ),
  );
  return { chart, bars };
}

/** A crosshair without a level; its line stands on the middle of an interval, as it does in the candles. */
const cursorOf = (grid) => ({
  y: false,
  drag: { x: false, y: false, setScale: false },
  points: { size: 6 },
  move: (plot, left, top) => {
    const index = Math.round(plot.posToVal(left, "x"));
    return [left < 0 ? left : plot.valToPos(Math.min(Math.max(index, 0), grid.length - 1), "x"), top];
  },
});

const timeAxisOf = (grid, show) => ({
  font: face(),
  stroke: style("--soft"),
  grid: { show: false },
  ticks: { stroke: style("--line"), size: 4 },
  show,
  space: 64,
  incrs: steps(grid),
  splits: (_, __, from, to, step) => roundTimes(grid, from, to, step),
  values: (plot, splits) => {
    // A mark at the very edge would be cut off.
    const whole = splits.filter((split) => plot.valToPos(split, "x") >= EDGE);
    return [...new Array(splits.length - whole.length).fill(""), ...timeMarks(whole.map((i) => timeAt(grid, i)))];
  },
});

/** Whether a line takes both signs, so that its sign is worth a colour. */
export const isSigned = (values) => values.some((value) => value < 0) && values.some((value) => value > 0);

/**
 * Draws the lines of a pane, `[{ values, dashed, bars }]`, as long as the grid; `margin()` is the width at the right.
 * A line with `bars` is drawn as bars from zero, coloured by sign.
 */
export function linePane(place, { grid, lines, height, margin, timeAxis, pointed }) {
  const paint = colours();
  const axis = { font: face(), stroke: style("--soft"), grid: { show: false }, ticks: { stroke: style("--line"), size: 4 } };
  return new uPlot(
    {
      width: place.clientWidth,
      height,
      padding: [8, 0, timeAxis ? 0 : 8, 0],
      legend: { show: false },
      scales: { x: { time: false }, y: { range: lines.some(({ bars }) => bars) ? spreadFromZero : spread } },
      cursor: cursorOf(grid),
      hooks: { setCursor: [(plot) => pointed(plot.cursor.left < 0 ? null : plot.cursor.idx)] },
      series: [
        {},
        ...lines.flatMap(({ values, dashed, bars }, i) =>
          bars
            ? ["--up", "--down"].map((name) => ({ fill: style(name), width: 0, paths: uPlot.paths.bars({ size: [0.7, 24, 1] }), points: { show: false } }))
            : {
                stroke: paint[i % paint.length],
                width: 1.5,
                dash: dashed ? [5, 4] : undefined,
                spanGaps: false,
                points: { size: 4, fill: paint[i % paint.length], filter: (_, __, shown) => (shown ? null : lonely(values)) },
              },
        ),
      ],
      axes: [
        timeAxisOf(grid, timeAxis),
        {
          ...axis,
          side: 1,
          size: margin,
          space: 28,
          grid: { stroke: style("--sunken"), width: 1 },
          values: (_, splits, __, ___, step) => marks(splits, step),
        },
      ],
    },
    [grid.map((_, i) => i), ...lines.flatMap(({ values, bars }) => (bars ? [onlyIf(values, (value) => value >= 0), onlyIf(values, (value) => value < 0)] : [values]))],
    place,
  );
}

/**
 * Draws rows of values by time as colours: `rows` from the top down, `[{ label, side, values }]`, as long as the grid.
 * Green is from zero up or of bids (`side` 1), red below zero or of asks (`side` -1); the stronger, the larger.
 */
export function heatPane(place, { grid, rows, height, margin, timeAxis, pointed }) {
  const largest = strongest(rows);
  const axis = { font: face(), stroke: style("--soft"), grid: { show: false }, ticks: { show: false } };
  const paint = (plot) => {
    const { ctx, bbox } = plot;
    const [from, to] = [Math.max(0, Math.floor(plot.scales.x.min + 0.5)), Math.min(grid.length - 1, Math.ceil(plot.scales.x.max - 0.5))];
    const edge = (index) => Math.min(Math.max(Math.round(plot.valToPos(index - 0.5, "x", true)), bbox.left), bbox.left + bbox.width);
    const tall = bbox.height / rows.length;
    const colour = [style("--down"), style("--up")];
    ctx.save();
    rows.forEach(({ values, side }, row) => {
      const top = Math.round(bbox.top + row * tall);
      const bottom = Math.round(bbox.top + (row + 1) * tall);
      // Where intervals are narrower than a pixel, the pixel shows their mean.
      for (let first = from; first <= to; ) {
        const left = edge(first);
        let [sum, held, next] = [0, 0, first];
        do {
          if (values[next] !== null) [sum, held] = [sum + values[next], held + 1];
          next += 1;
        } while (next <= to && edge(next) <= left);
        if (held) {
          const value = sum / held;
          ctx.globalAlpha = Math.min(1, 0.05 + (0.95 * Math.abs(value)) / largest);
          ctx.fillStyle = colour[Number((side || value) >= 0)];
          ctx.fillRect(left, top, Math.max(1, edge(next) - left), bottom - top);
        }
        first = next;
      }
    });
    ctx.restore();
  };
  return new uPlot(
    {
      width: place.clientWidth,
      height,
      padding: [8, 0, timeAxis ? 0 : 8, 0],
      legend: { show: false },
      scales: { x: { time: false }, y: { range: [0, rows.length] } },
      cursor: cursorOf(grid),
      hooks: { setCursor: [(plot) => pointed(plot.cursor.left < 0 ? null : plot.cursor.idx)], draw: [paint] },
      series: [{}, { points: { show: false } }],
      axes: [
        timeAxisOf(grid, timeAxis),
        {
          ...axis,
          side: 1,
          size: margin,
          splits: () => rows.map((_, i) => rows.length - i - 0.5),
          values: () => rows.map(({ label }) => label),
        },
      ],
    },
    [grid.map((_, i) => i), new Array(grid.length).fill(null)],
    place,
  );
}

/** The value that has the full colour: larger than nearly all, so that one outlier does not leave the others pale. */
function strongest(rows) {
  const held = rows.flatMap(({ values }) => values.filter((value) => value !== null).map(Math.abs)).sort((a, b) => a - b);
  return held[Math.floor((held.length - 1) * 0.98)] || 1;
}

/** Leaves a little air above and below; a line of one value is drawn in the middle. */
function spread(_, lowest, highest) {
  if (lowest == null) return [0, 1];
  const air = (highest - lowest) * 0.06 || Math.abs(highest) * 0.05 || 1;
  return [lowest - air, highest + air];
}

/** As `spread`, with zero, from which bars begin. */
const spreadFromZero = (plot, lowest, highest) => spread(plot, Math.min(lowest ?? 0, 0), Math.max(highest ?? 0, 0));

const onlyIf = (values, holds) => values.map((value) => (value !== null && holds(value) ? value : null));

/** Places of values that stand alone between gaps: a line through one point would not be seen. */
function lonely(values) {
  const alone = [];
  values.forEach((value, i) => {
    if (value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null) alone.push(i);
  });
  return alone.length ? alone : null;
}

const timeAt = (grid, i) => grid[0] + i * (grid[1] - grid[0] || 1);

const STEPS_S = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 345600, 604800, 1209600, 2419200];

/** How far apart the marks of the time axis may be, in intervals. */
function steps(grid) {
  const seconds = grid[1] - grid[0] || 1;
  const found = STEPS_S.filter((step) => step >= seconds && step % seconds === 0).map((step) => step / seconds);
  return found.length ? found : [1];
}

/** Marks of the time axis at round times, although the grid may begin at any. */
function roundTimes(grid, from, to, step) {
  const seconds = grid[1] - grid[0] || 1;
  const apart = step * seconds;
  const first = Math.ceil(timeAt(grid, from) / apart) * apart;
  const found = [];
  for (let time = first; time <= timeAt(grid, to); time += apart) found.push((time - grid[0]) / seconds);
  return found;
}
