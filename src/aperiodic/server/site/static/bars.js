// Published files, read in the browser: Parquet in, columns out, CSV from columns.
import { compressors, parquetRead } from "./vendor/parquet.js";

const parsers = { timestampFromMicroseconds: (time) => Number(time) / 1e6 };

/**
 * Reads the bars of a file: `{ names, rows, columns }`, where `columns.time` holds seconds since the epoch and every
 * other column numbers or null.
 */
export async function readBars(buffer) {
  const columns = {};
  const names = [];
  await parquetRead({
    file: buffer,
    compressors,
    parsers,
    onChunk({ columnName, columnData, rowStart }) {
      if (!columns[columnName]) {
        columns[columnName] = [];
        names.push(columnName);
      }
      const column = columns[columnName];
      for (let i = 0; i < columnData.length; i++) {
        const value = columnData[i];
        column[rowStart + i] = value == null ? null : Number(value);
      }
    },
  });
  return { names, rows: columns.time.length, columns };
}

/**
 * Reads some columns of a file, of the rows whose time lies in [`from`, `to`), s: `{ times, values }`, where `values`
 * holds each asked column by its name.
 *
 * @param {object} file `byteLength` and `slice(start, end)`, which may answer later: only the bytes that are needed
 *   are asked for.
 */
export async function readPart(file, names, from, to) {
  const time = { file, compressors, parsers, columns: ["time"] };
  const { time: all } = await columnsOf(time, ["time"], 0, Infinity);
  const first = before(all, from);
  const end = before(all, to);
  if (first === end) return { times: [], values: Object.fromEntries(names.map((name) => [name, []])) };
  const { file: same, metadata } = time;
  const values = names.length ? await columnsOf({ file: same, metadata, compressors, parsers, columns: names, rowStart: first, rowEnd: end }, names, first, end) : {};
  return { times: all.slice(first, end), values };
}

/** Reads columns, of the rows from `first` to before `end`; what is read is left in the options. */
async function columnsOf(options, names, first, end) {
  const columns = Object.fromEntries(names.map((name) => [name, []]));
  await parquetRead(
    Object.assign(options, {
      onChunk({ columnName, columnData, rowStart }) {
        const column = columns[columnName];
        for (let i = Math.max(0, first - rowStart); i < columnData.length && rowStart + i < end; i++) {
          const value = columnData[i];
          column[rowStart + i - first] = value == null ? null : Number(value);
        }
      },
    }),
  );
  return columns;
}

/** How many of some ascending times lie before a time. */
function before(times, moment) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < moment) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Returns the rows whose time lies in [`from`, `to`), s, of several files in order, as one. */
export function joined(parts, from, to) {
  const { names } = parts[0];
  const columns = Object.fromEntries(names.map((name) => [name, []]));
  for (const part of parts) {
    for (let i = 0; i < part.rows; i++) {
      if (part.columns.time[i] < from || part.columns.time[i] >= to) continue;
      for (const name of names) columns[name].push(part.columns[name][i]);
    }
  }
  return { names, rows: columns.time.length, columns };
}

/** Writes bars as CSV with ISO 8601 times in UTC; null is empty, as CSV has no other word for it. */
export function csv({ names, rows, columns }) {
  const lines = [names.join(",")];
  for (let i = 0; i < rows; i++) {
    lines.push(names.map((name) => (name === "time" ? iso(columns.time[i]) : (columns[name][i] ?? ""))).join(","));
  }
  return `${lines.join("\n")}\n`;
}

/** Writes seconds since the epoch as ISO 8601 in UTC, to the second. */
export const iso = (seconds) => `${new Date(seconds * 1e3).toISOString().slice(0, 19)}Z`;
