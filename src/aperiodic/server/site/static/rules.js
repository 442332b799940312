// The rules of a request for bars that need no server to be known.

/**
 * Returns what is wrong with a request, or null.
 *
 * @param {object} asked The parameters, as text.
 * @param {object} rules `subMinute`: the intervals below a minute.
 * @returns {{ name: string, text: string } | null} Which parameter, and what to say of it.
 */
export function problem(asked, { subMinute }) {
  if (subMinute.includes(asked.interval) && asked.timestamp !== "true") {
    return { name: "interval", text: `Bars of ${asked.interval} exist for the timestamp true only: choose it, or an interval of a minute or more.` };
  }
  if (!/^(perpetual|future|spot)-.+/.test(asked.symbol)) {
    return { name: "symbol", text: "A symbol is written like perpetual-BTC-USDT:USDT or spot-BTC-USDT." };
  }
  for (const name of ["start_date", "end_date"]) {
    if (!/^\d{4}-\d{2}-\d{2}$/.test(asked[name])) return { name, text: "A date is written YYYY-MM-DD." };
  }
  if (asked.end_date < asked.start_date) return { name: "end_date", text: "The end date lies before the start date." };
  if (asked.start_date > new Date().toISOString().slice(0, 10)) return { name: "start_date", text: "The start date lies in the future." };
  return null;
}
