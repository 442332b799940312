// The page of charts: reads the form, draws what it says, keeps the address in step so that a chart can be linked.
import { series, stack } from "./charts.js";
import { element } from "./dom.js";
import { exact, utc } from "./format.js";
import { announce } from "./site.js";

const MOST_ROWS = 500;

const form = document.querySelector("[data-explore]");
const section = document.querySelector("[data-explored]");
const place = section?.querySelector("[data-stack]");
const status = section?.querySelector("[data-explore-status]");
const table = section?.querySelector("[data-table]");

let drawn = null;
let shown = null;
let cancel = new AbortController();
const answers = new Map();

/** What the form says. */
function chosen() {
  const pressed = (name) => form.querySelector(`[data-switch="${name}"] [aria-pressed="true"]`).value;
  const venue = (name) => form.querySelector(`[data-venue="${name}"]`)?.value ?? "";
  const exchange = venue("exchange");
  return {
    panes: [...form.querySelectorAll("[data-pane]")].map((select) => select.value).filter(Boolean).map((value) => value.split(".")),
    interval: pressed("interval"),
    timestamp: pressed("timestamp"),
    exchange,
    compare: venue("compare") === exchange ? "" : venue("compare"),
  };
}

/** The address of what the form says. */
function address({ panes, interval, timestamp, exchange, compare }) {
  const query = new URLSearchParams(panes.flatMap(([metric, field]) => [["metric", metric], ["field", field]]));
  query.set("interval", interval);
  query.set("timestamp", timestamp);
  query.set("exchange", exchange);
  if (compare) query.set("compare", compare);
  return `/charts?${query}`;
}

/** Asks once for each series, and keeps the answers. */
async function held(parameters, signal) {
  const key = JSON.stringify(parameters);
  if (!answers.has(key)) answers.set(key, await series(parameters, signal));
  return answers.get(key);
}

async function draw() {
  cancel.abort();
  cancel = new AbortController();
  const { signal } = cancel;
  const asked = chosen();
  history.replaceState(null, "", address(asked));
  place.setAttribute("aria-busy", "true");
  const clocks = asked.timestamp === "both" ? ["exchange", "true"] : [asked.timestamp];
  const venues = [asked.exchange, ...(asked.compare ? [asked.compare] : [])];
  const { interval } = asked;
  try {
    const candles = await held({ metric: "ohlcv", interval, timestamp: clocks[0], exchange: asked.exchange }, signal);
    const panes = [];
    for (const [metric, field] of asked.panes) {
      const lines = [];
      let named;
      for (const exchange of venues) {
        for (const timestamp of clocks) {
          named = await held({ metric, fields: field, interval, timestamp, exchange, candles: "no" }, signal);
          const label = [venues.length > 1 ? exchange : "", clocks.length > 1 ? `${timestamp} time` : ""].filter(Boolean).join(", ");
          lines.push({ label, times: named.times, values: named.fields[field], dashed: timestamp === "true" && clocks.length > 1 });
        }
      }
      panes.push({ title: named.labels[field], unit: named.units[field], lines });
    }
    drawn?.remove();
    shown = { candles, panes };
    drawn = stack(
      place,
      { seconds: candles.seconds, candles: { times: candles.price_times, prices: candles.prices }, panes },
      { wheel: true, ranged: changed },
    );
    status.textContent = "";
    changed();
  } catch (error) {
    if (!signal.aborted) status.textContent = `The chart could not be loaded: ${error.message}`;
  } finally {
    if (!signal.aborted) place.removeAttribute("aria-busy");
  }
}

let waiting;

/** Writes the table again soon after the range has come to rest. */
function changed() {
  clearTimeout(waiting);
  if (!table.hidden) waiting = setTimeout(writeTable, 150);
}

function writeTable() {
  const [first, last] = drawn.range();
  const to = Math.min(last, first + MOST_ROWS - 1);
  const { candles, panes } = shown;
  const columns = [
    { name: "close", at: byTime(candles.price_times, candles.prices.close) },
    ...panes.flatMap((pane) =>
      pane.lines.map((line) => ({ name: line.label ? `${pane.title} (${line.label})` : pane.title, at: byTime(line.times, line.values) })),
    ),
  ];
  const rows = [];
  for (let i = first; i <= to; i++) {
    const time = drawn.grid[i];
    rows.push(
      element("tr", {}, element("th", { scope: "row", class: "number" }, utc(time)), ...columns.map(({ at }) => element("td", { class: "number" }, at.has(time) ? exact(at.get(time)) : "no row"))),
    );
  }
  const left = last - to;
  table.replaceChildren(
    element("div", { class: "table-box tall-box", tabindex: "0", role: "region", "aria-label": "The chart as a table" },
      element("table", {},
        element("caption", {}, `${rows.length} intervals of ${candles.interval}, as shown in the chart${left > 0 ? `; ${left} more are left out, zoom in to see them` : ""}`),
        element("thead", {}, element("tr", {}, element("th", { scope: "col", class: "number" }, "time (UTC)"), ...columns.map(({ name }) => element("th", { scope: "col", class: "number" }, name)))),
        element("tbody", {}, ...rows),
      ),
    ),
  );
}

const byTime = (times, values) => new Map(times.map((time, i) => [time, values[i]]));

function start() {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", draw);
  for (const group of form.querySelectorAll("[data-switch]")) {
    group.addEventListener("click", ({ target }) => {
      if (!(target instanceof HTMLButtonElement)) return;
      for (const button of group.children) button.setAttribute("aria-pressed", String(button === target));
      draw();
    });
  }
  for (const button of section.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => (button.dataset.zoom === "all" ? drawn?.showAll() : drawn?.zoom(Number(button.dataset.zoom))));
  }
  const asTable = section.querySelector("[data-as-table]");
  asTable.addEventListener("click", () => {
    table.hidden = !table.hidden;
    asTable.setAttribute("aria-expanded", String(!table.hidden));
    asTable.textContent = table.hidden ? "Show as table" : "Hide the table";
    if (!table.hidden && drawn) writeTable();
  });
  section.querySelector("[data-copy-link]").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      announce("Link copied");
    } catch {
      announce("The browser does not let this page copy; the address bar holds the link");
    }
  });
  draw();
}

if (form) start();
