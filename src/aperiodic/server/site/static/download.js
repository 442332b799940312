// The data behind an answer's links: fetched, decoded, shown as a table and a chart, and saved.
import { element } from "./dom.js";
import { bytes, exact, secondsOf } from "./format.js";
import { missing, period as month } from "./missing.js";

const MOST_BYTES = 50e6;
const FIRST_ROWS = 20;
const MOST_DRAWN = 50_000;
const PRICES = ["open", "high", "low", "close"];
const DAY_S = 86_400;

let chart = null;

/**
 * Fetches the files of an answer, one after the other, and shows the rows of the asked days.
 *
 * @param {HTMLElement} place Is filled and shown.
 * @param {object} parameters Of the request, `metric` included.
 * @param {object} answer Of the API: `files`, and `missing`.
 * @param {Function} say Tells the visitor how far it is.
 */
export async function showBars(place, parameters, answer, say) {
  const { files } = answer;
  chart?.remove();
  chart = null;
  const size = files.reduce((sum, file) => sum + file.size, 0);
  if (size > MOST_BYTES) {
    say(`The data is ${bytes(size)}, more than a page should decode. Here are the links; they live for five minutes.`);
    place.replaceChildren(element("h3", {}, "The data"), ...lacks(answer), links(files));
    place.hidden = false;
    return;
  }
  const buffers = [];
  let bars;
  try {
    for (const file of files) {
      say(`Downloading ${month(file)}, file ${buffers.length + 1} of ${files.length}, ${bytes(file.size)} …`);
      const got = await fetch(file.url, { credentials: "omit" });
      if (!got.ok) throw new Error(`the link answered ${got.status}`);
      buffers.push(await got.arrayBuffer());
    }
    say("Decoding …");
    const { joined, readBars } = await import("./bars.js");
    const parts = [];
    for (const buffer of buffers) parts.push(await readBars(buffer));
    const first = Date.parse(`${parameters.start_date}T00:00:00Z`) / 1e3;
    const end = Date.parse(`${parameters.end_date}T00:00:00Z`) / 1e3 + DAY_S;
    bars = joined(parts, first, end);
  } catch (error) {
    say(`The data could not be read in this page: ${error.message}. The links may still work by themselves; they live for five minutes.`);
    place.replaceChildren(element("h3", {}, "The data"), links(files));
    place.hidden = false;
    return;
  }
  const name = [parameters.metric, parameters.exchange, parameters.symbol.replaceAll(/[^\w.-]+/g, "-"), parameters.interval, parameters.timestamp, parameters.start_date, parameters.end_date].join("_");
  const box = element("div", { class: "chart" });
  const fields = bars.names.filter((field) => field !== "time");
  const highlighted = document.querySelector("[data-candles]")?.dataset.field;
  const field = element("select", { id: "t-field" }, ...fields.map((of) => element("option", {}, of)));
  field.value = fields.includes(highlighted) ? highlighted : fields[0];
  if (fields.includes("volume") && fields.includes("close")) field.value = "volume";
  const drawnRows = Math.min(bars.rows, MOST_DRAWN);
  place.replaceChildren(
    element("h3", {}, "The data"),
    element("p", {}, element("strong", {}, `${bars.rows.toLocaleString("en")} rows`), ` of ${bars.names.length} columns in ${files.length} ${files.length === 1 ? "file" : "files"}, ${bytes(size)}. `, ...simulated(files)),
    ...lacks(answer),
    element("div", { class: "buttons" }, saveCsv(bars, `${name}.csv`), ...files.map((file, i) => saveFile(buffers[i], file, parameters, files.length))),
    table(bars),
    element("div", { class: "chart-choice" }, element("label", { for: "t-field" }, "Field in the chart"), field),
    ...(drawnRows < bars.rows ? [element("p", { class: "small muted" }, `The chart shows the first ${drawnRows.toLocaleString("en")} rows.`)] : []),
    box,
  );
  place.hidden = false;
  const lacking = missing(answer);
  say(`${bars.rows.toLocaleString("en")} rows are below. ${lacking.length ? `Not everything that was asked for is there: ${lacking[0]}.` : ""}`.trim());
  const draw = () => drawChart(box, bars, field.value, parameters.interval, drawnRows);
  field.addEventListener("change", draw);
  await draw();
}

async function drawChart(box, { columns, names }, field, interval, rows) {
  const { stack } = await import("./charts.js");
  const part = (name) => columns[name].slice(0, rows);
  const times = part("time");
  const candles = PRICES.every((name) => names.includes(name))
    ? { times, prices: Object.fromEntries(PRICES.map((name) => [name, part(name)])) }
    : null;
  const named = document.getElementById(`field-${field}`)?.dataset;
  chart?.remove();
  chart = stack(box, {
    seconds: secondsOf(interval),
    candles,
    panes: [{ title: named?.label ?? field, unit: named?.unit ?? "", lines: [{ label: "", times, values: part(field) }] }],
  });
}

function table({ names, rows, columns }) {
  const few = Math.min(rows, FIRST_ROWS);
  const body = Array.from({ length: few }, (_, i) =>
    element("tr", {}, ...names.map((name) => element("td", { class: "number" }, name === "time" ? new Date(columns.time[i] * 1e3).toISOString().slice(0, 19).replace("T", " ") : exact(columns[name][i])))),
  );
  return element("div", { class: "table-box tall-box", tabindex: "0", role: "region", "aria-label": "First rows" },
    element("table", {},
      element("caption", {}, rows ? `The first ${few} rows, times in UTC` : "No row lies in the asked days"),
      element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col", class: "number" }, name)))),
      element("tbody", {}, ...body),
    ),
  );
}

/** Says what is not there: nothing partial is silent. */
function lacks(answer) {
  const said = missing(answer);
  return said.length ? [element("div", { class: "note", "data-missing": "" }, ...lackingList(said))] : [];
}

/** Writes what is missing as a heading and a list. */
export function lackingList(said) {
  return [element("p", {}, element("strong", {}, "What is missing")), element("ul", {}, ...said.map((each) => element("li", {}, `${each}.`)))];
}

const simulated = (files) => (files.some((file) => file.source === "simulated") ? [element("span", { class: "chip warm" }, "simulated data")] : []);

function links(files) {
  return element("ul", {}, ...files.map((file) => element("li", {}, element("a", { href: file.url, download: "" }, `${month(file)}, Parquet, ${bytes(file.size)}`))));
}

function saveCsv(bars, name) {
  const button = element("button", { class: "button quiet", type: "button" }, "Download CSV");
  button.addEventListener("click", async () => {
    const { csv } = await import("./bars.js");
    save(new Blob([csv(bars)], { type: "text/csv" }), name);
  });
  return button;
}

function saveFile(buffer, file, parameters, count) {
  const button = element("button", { class: "button quiet", type: "button" }, count > 1 ? `Download Parquet ${month(file)}` : "Download Parquet");
  const name = `${parameters.metric}_${parameters.exchange}_${parameters.interval}_${parameters.timestamp}_${month(file)}.parquet`;
  button.addEventListener("click", () => save(new Blob([buffer], { type: "application/vnd.apache.parquet" }), name));
  return button;
}

/** Saves bytes as a file of the visitor. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = element("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
