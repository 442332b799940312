// Stacks of panes with one crosshair and one range of time. Data comes from this host only.
import { number, utc } from "./format.js";
import { element } from "./dom.js";
import { candlePane, colours, gridOf, heatPane, isSigned, linePane, MARGIN, onGrid } from "./panes.js";
import { pictureOf } from "./picture.js";
import { onThemeChange } from "./site.js";

const HEIGHTS = { candles: 260, lines: 150 };
const FEWEST_SHOWN = 8;

const stacks = new Set();
onThemeChange(() => stacks.forEach((redraw) => redraw()));

/** Asks for bars of the shown slice; see /site/series. */
export async function series(parameters, signal) {
  const answer = await fetch(`/site/series?${new URLSearchParams(parameters)}`, { signal });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}

/**
 * Draws candles and, below them, a pane for each group of lines.
 *
 * @param {HTMLElement} place Is emptied.
 * @param {object} content `seconds` of an interval; `candles`, `{ times, prices }` or null; `panes`, each
 *   `{ title, unit, lines: [{ label, times, values, dashed }], bars }`; with `bars` a single line that takes both signs
 *   is drawn as bars coloured by sign.
 * @param {object} options `wheel`: whether the wheel zooms; `ranged(range)` is told the first and last interval shown;
 *   `view`: first and last moment to begin with, s, or null for all.
 * @returns {{ grid, zoom, showAll, range, picture, remove }} What is drawn, and ways to move about in it.
 */
export function stack(place, content, { wheel = false, ranged, view = null } = {}) {
  const { seconds } = content;
  const lineTimes = content.panes.flatMap((pane) => pane.lines.map((line) => line.times));
  const grid = gridOf([...(content.candles ? [content.candles.times] : []), ...lineTimes], seconds);
  const prices =
    content.candles &&
    Object.fromEntries(
      Object.entries(content.candles.prices).map(([name, values]) => [
        name,
        onGrid(grid, content.candles.times, values, seconds),
      ]),
    );
  const panes = content.panes.map((pane) => ({
    ...pane,
    heat: pane.heat?.map((row) => ({ ...row, values: onGrid(grid, row.times, row.values, seconds) })),
    lines: pane.lines.map((line) => {
      const values = onGrid(grid, line.times, line.values, seconds);
      return { ...line, values, bars: Boolean(pane.bars) && pane.lines.length === 1 && isSigned(values) };
    }),
  }));
  if (!grid.length) {
    place.replaceChildren(element("p", { class: "muted" }, "Nothing of this is published here."));
    return { grid, zoom() {}, showAll() {}, range: () => [0, -1], picture: () => null, remove: () => place.replaceChildren() };
  }

  const whole = { from: 0, to: grid.length - 1 };
  let range = viewed(grid, view) ?? whole;
  let at = null;
  let pointer = null; // the pane that the crosshair is moved in
  let drawn = null;
  let telling = false;

  function draw() {
    at = null; // what is drawn anew has no crosshair yet
    drawn?.remove();
    place.replaceChildren();
    const legends = [];
    const host = (lines) => {
      const legend = element("div", { class: "legend" });
      const box = element("div", { class: "pane", "aria-hidden": "true" });
      place.append(legend, box);
      legends.push({ legend, lines });
      return box;
    };
    let margin = MARGIN;
    let candles = null;
    if (prices) {
      candles = candlePane(host(null), { grid, prices, wheel, height: HEIGHTS.candles, timeAxis: !panes.length });
    }
    const plots = panes.map((pane, i) => {
      const box = host(pane);
      const plot = (pane.heat ? heatPane : linePane)(box, {
        grid,
        lines: pane.lines,
        rows: pane.heat,
        height: HEIGHTS.lines + (i === panes.length - 1 ? 30 : 0),
        margin: () => margin,
        timeAxis: i === panes.length - 1,
        pointed: (index) => point(index, i),
      });
      moveByHand(plot);
      return plot;
    });
    drawn = { legends, candles, plots, follow, resize, remove };
    if (candles) {
      candles.chart.subscribeCrosshairMove(({ logical, point: where }) => {
        if (!telling) point(where && grid[logical] !== undefined ? logical : null, "candles");
      });
      candles.chart.timeScale().subscribeVisibleLogicalRangeChange((shown) => shown && follow(shown));
      candles.chart.timeScale().subscribeSizeChange(() => follow(range));
    }
    resize();
    write();

    /** Brings the line panes to a range that the candles show. */
    function follow(shown) {
      range = { from: shown.from, to: shown.to };
      const wanted = Math.max(MARGIN, candles?.chart.priceScale("right").width() ?? 0);
      if (wanted !== margin) {
        margin = wanted;
        for (const plot of plots) plot.redraw(true, true);
      }
      // An interval is as wide as its bar: half of the first and of the last stick out of the range.
      for (const plot of plots) plot.batch(() => plot.setScale("x", { min: range.from - 0.5, max: range.to + 0.5 }));
      const [first, last] = shownRange();
      if (at === null) write();
      else if (at < first || at > last) point(null);
      else tell(pointer);
      ranged?.(shownRange());
    }
    function resize() {
      const kept = range;
      candles?.chart.resize(place.clientWidth - frame(place), HEIGHTS.candles);
      for (const plot of plots) plot.setSize({ width: place.clientWidth - frame(place), height: plot.height });
      show(kept);
      // How wide the scale of prices is shows only once the candles are painted.
      requestAnimationFrame(() => drawn?.follow === follow && follow(range));
    }
    function remove() {
      candles?.chart.remove();
      for (const plot of plots) plot.destroy();
    }
  }

  /** Shows a range of intervals in every pane. */
  function show({ from, to }) {
    const length = Math.min(Math.max(to - from, FEWEST_SHOWN), whole.to - whole.from);
    const start = Math.min(Math.max((from + to - length) / 2, whole.from), whole.to - length);
    range = { from: start, to: start + length };
    drawn.candles?.chart.timeScale().setVisibleLogicalRange(range);
    drawn.follow(range);
  }

  const zoom = (factor, centre = (range.from + range.to) / 2) =>
    show({ from: centre - (centre - range.from) * factor, to: centre + (range.to - centre) * factor });
  const showAll = () => show(whole);
  const shownRange = () => [Math.max(0, Math.ceil(range.from)), Math.min(grid.length - 1, Math.floor(range.to))];

  /** Lets a pane of lines be dragged, pinched and zoomed as the candles can be. */
  function moveByHand(plot) {
    const { over } = plot;
    over.style.touchAction = "pan-y";
    let grip = null;
    over.addEventListener("pointerdown", (event) => {
      grip = { x: event.clientX, range };
      over.setPointerCapture(event.pointerId);
    });
    over.addEventListener("pointermove", (event) => {
      if (!grip) return;
      const moved = ((event.clientX - grip.x) / over.clientWidth) * (grip.range.to - grip.range.from);
      show({ from: grip.range.from - moved, to: grip.range.to - moved });
    });
    for (const end of ["pointerup", "pointercancel"]) over.addEventListener(end, () => (grip = null));
    over.addEventListener("dblclick", showAll);
    if (!wheel) return;
    over.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, plot.posToVal(event.offsetX, "x"));
      },
      { passive: false },
    );
  }

  /** Moves the crosshair of every pane but `source` to an interval; null takes it away. */
  function point(index, source) {
    if (index === at || telling) return;
    at = index;
    pointer = source;
    tell(source);
  }

  /** Brings the crosshairs of every pane but `source`, and all legends, to where the crosshair is. */
  function tell(source) {
    const index = at;
    telling = true;
    drawn.plots.forEach((plot, i) => {
      if (i !== source) plot.setCursor(index === null ? { left: -10, top: -10 } : { left: plot.valToPos(index, "x"), top: 1 }, false);
    });
    if (drawn.candles && source !== "candles") {
      const { chart, bars } = drawn.candles;
      if (index === null) chart.clearCrosshairPosition();
      else chart.setCrosshairPosition(nearest(prices.close, index), grid[index], bars);
    }
    telling = false;
    write();
  }

  /** Writes the values at the crosshair, or the latest in view: all of one time, so that a line that ends earlier says so. */
  function write() {
    const paint = colours();
    const [, last] = shownRange();
    const index = at ?? Math.max(...(prices ? [lastHeld(prices.close, last)] : []), ...panes.flatMap((pane) => pane.lines.map((line) => lastHeld(line.values, last))));
    for (const { legend, lines: pane } of drawn.legends) {
      if (!pane) {
        const parts = ["open", "high", "low", "close"].map((name) => entry(name, number(prices[name][index])));
        legend.replaceChildren(element("span", {}, `${utc(grid[index])} UTC`), ...parts);
        continue;
      }
      legend.replaceChildren(
        element("strong", {}, pane.title),
        ...(pane.heat ?? pane.lines).map((line, i) => entry(line.label, told(line, index, last), line.bars || pane.heat ? null : paint[i % paint.length], line.dashed)),
        element("span", {}, pane.unit),
      );
      if (!prices) legend.prepend(element("span", {}, `${utc(grid[index])} UTC`));
    }
  }

  /** A value at an interval; where the line has none, until when it has any. */
  function told(line, index, inView) {
    if (line.values[index] !== null) return number(line.values[index]);
    const last = lastHeld(line.values, inView);
    return at === null && line.values[last] !== null && last < index ? `ends ${utc(grid[last])}` : "no value";
  }

  const stop = new AbortController();
  place.addEventListener(
    "keydown",
    (event) => {
      const { key } = event;
      const now = at ?? shownRange()[1];
      if (key === "ArrowLeft" || key === "ArrowRight") step(Math.min(grid.length - 1, Math.max(0, now + (key === "ArrowLeft" ? -1 : 1))));
      else if (key === "Home" || key === "End") step(key === "Home" ? 0 : grid.length - 1);
      else if (key === "+" || key === "=") zoom(1 / 1.5, at ?? undefined);
      else if (key === "-") zoom(1.5, at ?? undefined);
      else if (key === "0") showAll();
      else if (key === "Escape") point(null);
      else return;
      event.preventDefault();
    },
    { signal: stop.signal },
  );
  place.addEventListener("focusout", () => point(null), { signal: stop.signal });
  const spoken = element("p", { class: "visually-hidden", "aria-live": "polite" });

  /** Moves the crosshair by key: brings it into view and says what is there. */
  function step(index) {
    const [first, last] = shownRange();
    const length = range.to - range.from;
    if (index < first) show({ from: index - 1, to: index - 1 + length });
    if (index > last) show({ from: index + 1 - length, to: index + 1 });
    point(index);
    const values = panes.flatMap((pane) => pane.lines.map((line) => `${pane.title} ${line.label} ${number(line.values[index])}`));
    spoken.textContent = `${utc(grid[index])}. ${[...(prices ? [`close ${number(prices.close[index])}`] : []), ...values].join(", ")}`;
  }

  place.tabIndex = 0;
  place.setAttribute("role", "group");
  place.setAttribute("aria-label", summary(grid, prices, panes));
  draw();
  place.after(spoken);
  let width = place.clientWidth;
  const watch = new ResizeObserver(() => {
    // A chart that is hidden has no width: it stays as it is until it is seen again.
    if (!place.clientWidth || place.clientWidth === width) return;
    width = place.clientWidth;
    drawn.resize();
  });
  watch.observe(place);
  stacks.add(draw);
  const remove = () => {
    stacks.delete(draw);
    watch.disconnect();
    stop.abort();
    drawn.remove();
    spoken.remove();
    place.replaceChildren();
  };
  const picture = (title) => pictureOf(drawn, place.clientWidth - frame(place), title);
  return { grid, zoom, showAll, range: shownRange, picture, remove };
}

/** The intervals of a grid that a view holds; null where it holds fewer than two. */
function viewed(grid, view) {
  if (!view) return null;
  const seconds = grid[1] - grid[0] || 1;
  const place = (time) => Math.min(Math.max(Math.round((time - grid[0]) / seconds), 0), grid.length - 1);
  const [from, to] = view.map(place);
  return to > from ? { from, to } : null;
}

/** What a chart shows, in words. */
function summary(grid, prices, panes) {
  const told = (name, values) => {
    const held = values.filter((value) => value !== null);
    if (!held.length) return `${name}: no value.`;
    const [lowest, highest] = held.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    const gaps = values.length - held.length;
    return `${name}: last ${number(held.at(-1))}, lowest ${number(lowest)}, highest ${number(highest)}${gaps ? `, ${gaps} intervals without a value` : ""}.`;
  };
  return [
    `Chart of ${grid.length} intervals, ${utc(grid[0])} to ${utc(grid.at(-1))} UTC.`,
    ...(prices ? [told("Price", prices.close)] : []),
    ...panes.flatMap((pane) => pane.lines.map((line) => told(pane.lines.length > 1 ? `${pane.title}, ${line.label}` : pane.title, line.values))),
    "Arrow keys move the crosshair, plus and minus zoom, 0 shows all.",
  ].join(" ");
}

function entry(label, value, colour, dashed = false) {
  const made = element("span", { class: "entry" });
  if (colour) {
    const swatch = element("i", { class: "swatch" });
    swatch.style.borderTop = `3px ${dashed ? "dashed" : "solid"} ${colour}`;
    made.append(swatch);
  }
  if (label) made.append(`${label} `);
  made.append(element("b", {}, value));
  return made;
}

/** The last place up to `end` that has a value; `end` itself where none has. */
function lastHeld(values, end) {
  for (let i = end; i >= 0; i--) if (values[i] !== null) return i;
  return end;
}

/** The price at an interval, or the last before it, where the crosshair of the candles can stand. */
function nearest(closes, index) {
  const before = closes.slice(0, index + 1).findLast((price) => price !== null);
  return before ?? closes.find((price) => price !== null) ?? 0;
}

const frame = (place) => {
  const { paddingLeft, paddingRight } = getComputedStyle(place);
  return parseFloat(paddingLeft) + parseFloat(paddingRight);
};

const pairs = new WeakMap();

/** Draws candles with one field below into an element that names them; again when what it names has changed. */
export async function pair(place) {
  const before = pairs.get(place);
  before?.cancel.abort();
  const now = { cancel: new AbortController(), remove: before?.remove };
  pairs.set(place, now);
  const { metric, field, interval, timestamp = "exchange" } = place.dataset;
  try {
    const data = await series({ metric, fields: field, interval, timestamp }, now.cancel.signal);
    now.remove?.();
    now.remove = stack(place, {
      seconds: data.seconds,
      candles: { times: data.price_times, prices: data.prices },
      panes: [
        {
          title: data.labels[field],
          unit: data.units[field],
          lines: [{ label: "", times: data.times, values: data.fields[field] }],
        },
      ],
    }).remove;
  } catch (error) {
    if (now.cancel.signal.aborted) return;
    now.remove?.();
    now.remove = undefined;
    place.textContent = `The chart could not be loaded: ${error.message}`;
  }
}

for (const place of document.querySelectorAll("[data-candles]")) pair(place);
