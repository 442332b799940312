// The chart workspace: reads the form, draws what it says, keeps the address in step so that a chart can be linked.
import { stack } from "./charts.js";
import { element } from "./dom.js";
import { lackingList, save } from "./download.js";
import { exact, secondsOf, utc } from "./format.js";
import { isRemembered, keepKey, keptKey, keyProblem } from "./key.js";
import { problem as problemOf } from "./rules.js";
import { announce } from "./site.js";
import { suggestSymbols } from "./symbols.js";
import { tooMany } from "./workspace-data.js";
import { byTime, load, venuesOf } from "./workspace-panes.js";
import { addressOf, frameOf, press, readForm, viewOf, writeForm } from "./workspace-state.js";

const MOST_ROWS = 500;

const form = document.querySelector("[data-explore]");
const section = document.querySelector("[data-explored]");
const place = section?.querySelector("[data-stack]");
const status = section?.querySelector("[data-explore-status]");
const table = section?.querySelector("[data-table]");
const lacks = section?.querySelector("[data-missing]");

const frame = section?.querySelector("[data-frame]");
const words = section?.querySelector("[data-frame-words]");
const allowed = words?.textContent;

let drawn = null;
let shown = null;
let view = null;
let cancel = new AbortController();

const keyBox = () => form.querySelector("[data-key]");

/** What cannot be drawn, and why: known before anything is asked for. */
function wrong(state) {
  const subMinute = [...form.querySelectorAll("[data-sub-minute]")].map(({ value }) => value);
  const found = problemOf(state, { subMinute })?.text || tooMany(state);
  if (found) return found;
  const key = keyBox().value.trim();
  if (venuesOf(state).every((exchange) => isOpen(state, exchange))) return "";
  const { symbol, start, end, intervals } = form.dataset;
  if (key) return keyProblem(key);
  return !symbol ? "This needs your API key: nothing is open to everyone here." : `This needs your API key. Without one, ${symbol} is open from ${start} to ${end}, at intervals of ${intervals.replaceAll(" ", ", ")}.`;
}

/** Whether the preview holds what is asked for of a venue. */
function isOpen(state, exchange) {
  const { symbol, start, end, venues, intervals } = form.dataset;
  return state.symbol === symbol && state.start_date === start && state.end_date === end && venues.split(" ").includes(exchange) && intervals.split(" ").includes(state.interval);
}

/** What a field or heat map is called, its unit and, of a heat map, its rows. */
function described(name) {
  const option = form.querySelector(`[data-pane] option[value="${name}"]`);
  return { title: option.textContent, unit: option.dataset.unit, heat: option.dataset.heat };
}

/** Draws what the form says; `step` is how the address changes: "push" for a choice, "replace", or "stay". */
async function draw(step) {
  cancel.abort();
  cancel = new AbortController();
  clearTimeout(waiting);
  const { signal } = cancel;
  const state = readForm(form);
  for (const button of form.querySelectorAll("[data-sub-minute]")) button.disabled = state.timestamp !== "true";
  const address = addressOf(state, view);
  if (step === "push" && address !== location.pathname + location.search) history.pushState(null, "", address);
  if (step === "replace") history.replaceState(null, "", address);
  writeFrame();
  const problem = wrong(state);
  tell(problem);
  if (problem) return;
  place.setAttribute("aria-busy", "true");
  try {
    const loaded = await load(state, { isOpen: (exchange) => isOpen(state, exchange), key: keyBox().value.trim(), described }, signal);
    if (signal.aborted) return;
    clear();
    shown = loaded;
    drawn = stack(
      place,
      { seconds: secondsOf(state.interval), candles: loaded.candles, panes: loaded.panes },
      { wheel: true, ranged: changed, view },
    );
    lacks.hidden = !loaded.lacking.length;
    lacks.replaceChildren(...(loaded.lacking.length ? lackingList(loaded.lacking) : []));
    changed();
  } catch (error) {
    if (!signal.aborted) tell(`The chart could not be loaded: ${error.message}`);
  } finally {
    if (!signal.aborted) place.removeAttribute("aria-busy");
  }
}

/** Says why nothing is drawn, in place of the chart of an earlier choice; an empty text says that all is well. */
function tell(problem) {
  const words = form.querySelector("[data-problem]");
  words.hidden = !problem;
  words.textContent = status.textContent = problem;
  if (!problem) return;
  clear();
  place.removeAttribute("aria-busy");
  lacks.hidden = true;
  table.replaceChildren();
  place.replaceChildren(element("p", { class: "muted" }, problem));
}

function clear() {
  drawn?.remove();
  drawn = shown = null;
  place.replaceChildren();
}

let waiting;

/** Writes the table and the address again soon after the range has come to rest. */
function changed() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    if (!drawn?.grid.length) return;
    const [first, last] = drawn.range();
    view = first > 0 || last < drawn.grid.length - 1 ? [drawn.grid[first], drawn.grid[last]] : null;
    history.replaceState(null, "", addressOf(readForm(form), view));
    if (!table.hidden) writeTable();
  }, 150);
}

/** The columns of what is drawn, each by time. */
function columnsOf({ candles, panes }) {
  return [
    ...(candles ? [{ name: "close", column: "close", at: byTime(candles.times, candles.prices.close) }] : []),
    ...panes.flatMap((pane) =>
      pane.lines.map((line) => ({ name: line.label ? `${pane.title} (${line.label})` : pane.title, column: line.column, at: byTime(line.times, line.values) })),
    ),
  ];
}

function writeTable() {
  const [first, last] = drawn.range();
  const to = Math.min(last, first + MOST_ROWS - 1);
  const columns = columnsOf(shown);
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
        element("caption", {}, `${rows.length} intervals of ${shown.interval}, as shown in the chart${left > 0 ? `; ${left} more are left out, zoom in to see them` : ""}`),
        element("thead", {}, element("tr", {}, element("th", { scope: "col", class: "number" }, "time (UTC)"), ...columns.map(({ name }) => element("th", { scope: "col", class: "number" }, name)))),
        element("tbody", {}, ...rows),
      ),
    ),
  );
}

/** Writes what another site puts into its page to show this chart, where that may be. */
function writeFrame() {
  const code = frame.querySelector("[data-code] code");
  if (!code || frame.hidden) return;
  const state = readForm(form);
  const open = venuesOf(state).every((exchange) => isOpen(state, exchange));
  code.closest("figure").hidden = !open;
  words.textContent = open ? allowed : "Only what is open to everyone can be shown on other sites, and this needs a key.";
  code.textContent = frameOf(state, location.origin);
}

/** Name of a file of what is in view. */
function fileName(suffix) {
  const { exchange, symbol, interval, timestamp, start_date, end_date } = readForm(form);
  return `${[exchange, symbol.replaceAll(/[^\w.-]+/g, "-"), interval, timestamp, start_date, end_date].join("_")}.${suffix}`;
}

/** Saves the intervals in view; one without a row is left empty, as null is. */
async function saveCsv() {
  const { csv } = await import("./bars.js");
  const [first, last] = drawn.range();
  const times = drawn.grid.slice(first, last + 1);
  const found = columnsOf(shown);
  const columns = Object.fromEntries([["time", times], ...found.map(({ column, at }) => [column, times.map((time) => at.get(time) ?? null)])]);
  save(new Blob([csv({ names: Object.keys(columns), rows: times.length, columns })], { type: "text/csv" }), fileName("csv"));
}

function savePng() {
  const { exchange, compare, symbol, interval, timestamp } = readForm(form);
  const title = [symbol, compare ? `${exchange} and ${compare}` : exchange, interval, `clock ${timestamp}`].join(" · ");
  drawn.picture(title).toBlob((bytes) => save(bytes, fileName("png")), "image/png");
}

/** Gives every box of a field the list of the first one. */
function fillPanes() {
  const [first, ...others] = form.querySelectorAll("[data-pane]");
  for (const select of others) select.append(...[...first.children].map((group) => group.cloneNode(true)));
  for (const select of [first, ...others]) select.value = select.dataset.chosen ?? select.options[0].value;
}

/** Lets the visitor's key be typed, keeps it, and suggests what it may ask for. */
function startKey() {
  const box = keyBox();
  const remember = form.querySelector("[data-remember]");
  const suggest = () => suggestSymbols(form.elements.exchange, box.value.trim(), document.getElementById("c-symbols"), form.querySelector("[data-symbols-hint]"));
  box.value = keptKey();
  remember.checked = isRemembered();
  for (const control of [box, remember]) control.addEventListener("change", () => keepKey(box.value.trim(), remember.checked));
  form.elements.symbol.addEventListener("focus", suggest);
  form.elements.exchange.addEventListener("change", () => box.value && suggest());
}

function start() {
  fillPanes();
  startKey();
  view = viewOf(location.search);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", ({ target }) => {
    if (["symbol", "start_date", "end_date"].includes(target.name)) view = null;
    draw("push");
  });
  for (const group of form.querySelectorAll("[data-switch]")) {
    group.addEventListener("click", ({ target }) => {
      if (!(target instanceof HTMLButtonElement) || target.disabled) return;
      press(form, group.dataset.switch, target.value);
      draw("push");
    });
  }
  addEventListener("popstate", () => {
    writeForm(form, location.search);
    view = viewOf(location.search);
    draw("stay");
  });
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
  const asFrame = section.querySelector("[data-as-frame]");
  asFrame.addEventListener("click", () => {
    frame.hidden = !frame.hidden;
    asFrame.setAttribute("aria-expanded", String(!frame.hidden));
    writeFrame();
  });
  section.querySelector("[data-save-csv]").addEventListener("click", () => drawn?.grid.length && saveCsv());
  section.querySelector("[data-save-png]").addEventListener("click", () => drawn?.grid.length && savePng());
  section.querySelector("[data-copy-link]").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      announce("Link copied");
    } catch {
      announce("The browser does not let this page copy; the address bar holds the link");
    }
  });
  draw("replace");
}

if (form) start();
