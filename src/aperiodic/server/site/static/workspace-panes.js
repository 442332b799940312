// The panes of the chart workspace: which lines and pictures are drawn of what has been read.
import { readCandles, readLine, Refused } from "./workspace-data.js";

/** The venues of a state: its own and the one that it is compared with. */
export const venuesOf = ({ exchange, compare }) => [exchange, ...(compare ? [compare] : [])];

/** Values by their time. */
export const byTime = (times, values) => new Map(times.map((time, i) => [time, values[i]]));

/**
 * Reads the candles and the panes of a state, and what of them is missing.
 *
 * @param {object} state As `readForm` returns it.
 * @param {object} from `isOpen(exchange)`: whether the preview holds what is asked for of a venue; `key`: of the visitor;
 *   `described(name)`: title, unit and, of a heat map, rows of what is called `metric.field`.
 */
export async function load(state, { isOpen, key, described }, signal) {
  const { interval, symbol, start_date, end_date } = state;
  const lacking = [];
  const clocks = ["both", "difference"].includes(state.timestamp) ? ["exchange", "true"] : [state.timestamp];
  const read = async (how, metric, exchange, timestamp, fields = []) => {
    const name = `${metric} of ${exchange}, ${timestamp} time`;
    try {
      const line = await how({ metric, fields, interval, timestamp, exchange, symbol, start_date, end_date }, { open: isOpen(exchange), key }, signal);
      lacking.push(...line.lacking.map((each) => `${name}: ${each}`));
      return line;
    } catch (error) {
      if (!(error instanceof Refused) || error.fatal) throw error;
      lacking.push(`${name}: ${error.message.replace(/\.$/, "")}`);
      return null;
    }
  };
  const candles = await read(readCandles, "ohlcv", state.exchange, clocks[0]);
  const panes = [];
  for (const [metric, field] of state.panes) {
    const { title, unit, heat } = described(`${metric}.${field}`);
    if (heat) {
      const named = [title, ...(state.compare ? [state.exchange] : []), ...(clocks.length > 1 ? [`${clocks[0]} time`] : [])].join(", ");
      panes.push(await heatPane(JSON.parse(heat), { metric, title: named, unit, exchange: state.exchange, timestamp: clocks[0] }, read));
      continue;
    }
    const lines = [];
    for (const exchange of venuesOf(state)) {
      const found = [];
      for (const timestamp of clocks) {
        const line = await read(readLine, metric, exchange, timestamp, [field]);
        found.push({ timestamp, times: line?.times ?? [], values: line?.fields[field] ?? [] });
      }
      lines.push(...linesOf(state, exchange, found, `${metric}.${field}`));
    }
    panes.push({ title: state.timestamp === "difference" ? `${title}, true less exchange time` : title, unit, lines, bars: state.style === "bars" });
  }
  return { interval, candles, panes, lacking: [...new Set(lacking)] };
}

/** A pane of several fields as one picture; its lines are the fields as they are published, for table and CSV. */
async function heatPane(rows, { metric, title, unit, exchange, timestamp }, read) {
  const line = await read(readLine, metric, exchange, timestamp, rows.map(([, field]) => field));
  const times = line?.times ?? [];
  const of = (field) => line?.fields[field] ?? [];
  return {
    title,
    unit,
    lines: rows.map(([label, field]) => ({ label, column: [`${metric}.${field}`, exchange, timestamp].join(" "), times, values: of(field) })),
    heat: rows.map(([label, field, less, share, side]) => ({
      label,
      side,
      times,
      values: of(field).map((value, i) => (value === null || (less && of(less)[i] === null) ? null : (value - (less ? of(less)[i] : 0)) / share)),
    })),
  };
}

/** The lines of one field and venue: on each clock, or the one clock less the other. */
function linesOf(state, exchange, found, column) {
  const venue = venuesOf(state).length > 1 ? exchange : "";
  if (state.timestamp === "difference") {
    const [byExchange, byTrue] = found;
    const other = byTime(byExchange.times, byExchange.values);
    const values = byTrue.times.map((time, i) => (byTrue.values[i] === null || (other.get(time) ?? null) === null ? null : byTrue.values[i] - other.get(time)));
    return [{ label: venue, column: [column, exchange, "difference"].join(" "), times: byTrue.times, values }];
  }
  return found.map(({ timestamp, times, values }) => ({
    label: [venue, found.length > 1 ? `${timestamp} time` : ""].filter(Boolean).join(", "),
    column: [column, exchange, timestamp].join(" "),
    times,
    values,
    dashed: timestamp === "true" && found.length > 1,
  }));
}
