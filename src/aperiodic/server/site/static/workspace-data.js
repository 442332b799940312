// The numbers of the chart workspace: the preview where that is asked for, else the API with the visitor's key.
import { explain } from "./answer.js";
import { series } from "./charts.js";
import { secondsOf } from "./format.js";
import { missing } from "./missing.js";

const DAY_S = 86_400;
const MOST_INTERVALS = 200_000;
const MOST_FILES = 120;
const MOST_KEPT = 48;
const WHOLE_BYTES = 4e6;
const AT_ONCE = 4;
const PRICES = ["open", "high", "low", "close", "volume"];

const kept = new Map();

/** A request that was refused, in words; `fatal` when every other would be too. */
export class Refused extends Error {
  constructor(text, fatal = false) {
    super(text);
    this.fatal = fatal;
  }
}

/** Says why days are too many for a chart, or an empty text. */
export function tooMany({ interval, start_date, end_date }) {
  const [from, to] = bounds({ start_date, end_date });
  const asked = (to - from) / secondsOf(interval);
  return asked <= MOST_INTERVALS ? "" : `These are ${asked.toLocaleString("en")} intervals of ${interval}, and a chart draws ${MOST_INTERVALS.toLocaleString("en")} at most: choose fewer days, or a longer interval.`;
}

/**
 * Reads fields of a dataset: `{ times, fields, lacking }`; times in s, fields by name, null where undefined.
 *
 * @param {object} asked `metric`, `fields`, `interval`, `timestamp`, `exchange`, `symbol`, `start_date`, `end_date`.
 * @param {object} from `open`: whether the preview holds it; `key`: of the visitor.
 * @throws {Refused} The API does not give it.
 */
export async function readLine(asked, { open, key }, signal) {
  const name = JSON.stringify([asked, open || key]);
  if (!kept.has(name)) {
    const line = open ? await openLine(asked, signal) : await keyedLine(asked, key, signal);
    kept.set(name, line);
    if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
  }
  return kept.get(name);
}

/** Reads the candles of an instrument: `{ times, prices, lacking }`. */
export async function readCandles(asked, from, signal) {
  const { times, fields, lacking } = await readLine({ ...asked, metric: "ohlcv", fields: PRICES }, from, signal);
  return { times, prices: fields, lacking };
}

async function openLine({ metric, fields, interval, timestamp, exchange }, signal) {
  const answer = await series({ metric, fields: fields.join(","), interval, timestamp, exchange, candles: "no" }, signal);
  return { times: answer.times, fields: answer.fields, lacking: [] };
}

async function keyedLine({ metric, fields, ...parameters }, key, signal) {
  const query = new URLSearchParams(parameters);
  const answer = await fetch(`/api/v1/data/${metric}?${query}`, { headers: { "X-API-KEY": key }, cache: "no-store", signal });
  const body = await answer.json();
  if (!answer.ok) throw new Refused(explain(answer, body), answer.status === 401 || answer.status === 429);
  if (body.files.length > MOST_FILES) throw new Refused(`These days are ${body.files.length} files, and a chart reads ${MOST_FILES} at most. Choose fewer months.`);
  const [from, to] = bounds(parameters);
  const { readPart } = await import("./bars.js");
  const parts = [];
  for (let i = 0; i < body.files.length; i += AT_ONCE) {
    const few = body.files.slice(i, i + AT_ONCE);
    parts.push(...(await Promise.all(few.map(async (file) => readPart(await opened(file, signal), fields, from, to)))));
  }
  return {
    times: parts.flatMap((part) => part.times),
    fields: Object.fromEntries(fields.map((field) => [field, parts.flatMap((part) => part.values[field])])),
    lacking: missing(body),
  };
}

/** First and last moment, s, of days; the last is not part of them. */
function bounds({ start_date, end_date }) {
  const day = (text) => Date.parse(`${text}T00:00:00Z`) / 1e3;
  return [day(start_date), day(end_date) + DAY_S];
}

/** A file behind a link: a small one whole, of a large one the bytes that are asked for. */
async function opened({ url, size }, signal) {
  if (size <= WHOLE_BYTES) return (await fetched(url, {}, signal)).arrayBuffer();
  return {
    byteLength: size,
    async slice(start, end = size) {
      const got = await fetched(url, { Range: `bytes=${start}-${end - 1}` }, signal);
      const buffer = await got.arrayBuffer();
      return got.status === 206 ? buffer : buffer.slice(start, end);
    },
  };
}

async function fetched(url, headers, signal) {
  const got = await fetch(url, { headers, credentials: "omit", signal });
  if (!got.ok) throw new Refused(`A file could not be read: the link answered ${got.status}. Try again.`);
  return got;
}
