// Numbers and times as the pages write them.

/** Writes every digit of a value: nothing is rounded; null stays visible. */
export const exact = (value) => String(value ?? null);

/** Writes a value with at most eight significant digits, for legends; what is rounded is marked by ≈, null stays visible. */
export function number(value) {
  if (value == null) return "null";
  const size = Math.abs(value);
  const short = size !== 0 && (size < 1e-6 || size >= 1e15);
  const text = short ? value.toExponential(4) : value.toLocaleString("en", { maximumSignificantDigits: 8 });
  return Number(text.replaceAll(",", "")) === value ? text : `≈${text}`;
}

const UNITS = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]];

/** Writes the marks of an axis, `step` apart, short and with just enough digits to tell them apart. */
export function marks(values, step) {
  const largest = Math.max(...values.map(Math.abs));
  if (largest !== 0 && largest < 1e-4) {
    const digits = Math.max(0, Math.floor(Math.log10(largest)) - Math.floor(Math.log10(step) + 1e-9));
    return values.map((value) => (value === 0 ? "0" : value.toExponential(digits)));
  }
  const [unit, suffix] = largest < 1e4 ? [1, ""] : UNITS.find(([size]) => largest >= size);
  let digits = 0;
  while (digits < 10 && Math.abs((step / unit) * 10 ** digits - Math.round((step / unit) * 10 ** digits)) > 1e-6) digits++;
  return values.map((value) => (value / unit).toFixed(digits) + suffix);
}

/** Decimal places for prices of this size. */
export function priceDigits(price) {
  return price > 0 ? Math.min(10, Math.max(2, 5 - Math.floor(Math.log10(price)))) : 2;
}

const pad = (value) => String(value).padStart(2, "0");

/** Writes seconds since the epoch as a UTC time to the minute, or to the second where there are any. */
export function utc(seconds) {
  const time = new Date(seconds * 1e3).toISOString();
  return `${time.slice(0, 10)} ${time.slice(11, seconds % 60 ? 19 : 16)}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Writes the marks of a time axis: the day where it begins, the time of day within it. */
export function timeMarks(times) {
  let month;
  return times.map((seconds) => {
    const time = new Date(seconds * 1e3);
    if (seconds % 86400) return `${pad(time.getUTCHours())}:${pad(time.getUTCMinutes())}${seconds % 60 ? `:${pad(time.getUTCSeconds())}` : ""}`;
    const named = time.getUTCMonth() !== month;
    month = time.getUTCMonth();
    return named ? `${MONTHS[month]} ${time.getUTCDate()}` : String(time.getUTCDate());
  });
}

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Length of an interval such as `15m`, s. */
export const secondsOf = (interval) => parseInt(interval, 10) * SECONDS[interval.at(-1)];

/** Writes a number of bytes. */
export function bytes(size) {
  if (size < 1e3) return `${size} B`;
  return size < 1e6 ? `${(size / 1e3).toFixed(1)} kB` : `${(size / 1e6).toFixed(1)} MB`;
}
