// Live boards: the newest bars of the preview's instruments. A board stays hidden while nothing is collected here.

import { element } from "./dom.js";
import { exact, number } from "./format.js";

const PAUSE_MS = 5000;
const IDLE_MS = 60000; // between looks while nothing is collected
const SHOWN = 6;
const MINUTE = 60e6;

const clock = (us) => new Date(us / 1e3).toISOString().slice(11, 16);

function cell(text, kind = "number") {
  return element("td", kind ? { class: kind } : {}, text);
}

/** Rows of the newest minutes of one instrument, the newest first. */
function minutes(instrument, fields) {
  return instrument.rows.slice(-SHOWN).reverse().map((row) => element("tr", {},
    element("th", { scope: "row" }, clock(row.time)),
    ...fields.map((field) => cell(exact(row[field]))),
    cell(row.complete ? "yes" : "no", ""),
  ));
}

/** One row for each instrument: the last price, how it moved within the hour, what was traded in it. */
function market(instruments) {
  return instruments.map(({ exchange, symbol, rows }) => {
    const last = rows.at(-1);
    const before = rows[0].close;
    const change = before && last.close ? (last.close / before - 1) * 100 : null;
    const notional = rows.slice(1).reduce((sum, row) => sum + (row.volume_notional ?? 0), 0);
    return element("tr", {},
      element("th", { scope: "row" }, element("code", {}, symbol), element("br"), element("span", { class: "small muted" }, exchange)),
      cell(exact(last.close)),
      cell(change === null ? "null" : `${change >= 0 ? "+" : "−"}${Math.abs(change).toFixed(2)} %`),
      cell(number(notional)),
      cell(clock(last.time + MINUTE), ""),
    );
  });
}

async function show(board) {
  const { metric, fields } = board.dataset;
  const answer = await fetch(`/site/live?metric=${encodeURIComponent(metric)}`);
  if (!answer.ok) throw new Error(`${answer.status}`);
  const { instruments, now } = await answer.json();
  board.hidden = instruments.length === 0;
  if (board.hidden) return;
  const rows = fields ? minutes(instruments[0], fields.split(",")) : market(instruments);
  board.querySelector("tbody").replaceChildren(...rows);
  const told = board.querySelector("[data-told]");
  const age = Math.max(0, Math.round((now - instruments[0].rows.at(-1).time - MINUTE) / 1e6));
  told.textContent = fields
    ? `${instruments[0].symbol} on ${instruments[0].exchange}, bars of a minute; the newest closed ${age} s ago.`
    : `The newest bar closed ${age} s ago. Change and notional are of the last ${instruments[0].rows.length - 1} min.`;
}

for (const board of document.querySelectorAll("[data-live]")) {
  const renew = async () => {
    if (!document.hidden) {
      // A server that is away for a moment: the board says how old it is as soon as it answers again.
      await show(board).catch(() => { board.hidden = true; });
    }
    setTimeout(renew, board.hidden ? IDLE_MS : PAUSE_MS);
  };
  renew();
}
