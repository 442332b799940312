// What an answer lacks, in words: the same for tables, charts and downloads, from the judgement of the API.

const DAYS_NAMED = 3;

/** A month of an answer, or a day that is not over. */
export const period = (file) => [file.year, file.month, file.day].filter(Boolean).map((part) => String(part).padStart(2, "0")).join("-");

/**
 * Says what an answer of /data lacks; an empty list where nothing is known to be missing.
 *
 * @param {object} answer As the API gave it: `files` and `missing`.
 * @returns {string[]} Sentences without a full stop.
 */
export function missing({ files, missing: months }) {
  const said = [];
  if (months.length) said.push(`${count(months.length, "month")} of the range ${months.length === 1 ? "is" : "are"} not published: ${spans(months)}`);
  for (const file of files.filter(({ complete }) => complete === false)) {
    const faults = [];
    if (file.days_missing.length) faults.push(`no ticks on ${days(file.days_missing)}`);
    if (file.gaps) faults.push(count(file.gaps, "known gap"));
    said.push(`${period(file)} is not complete: ${faults.join(", ") || "the recording does not span it"}`);
  }
  for (const file of files.filter((each) => each.open_until)) said.push(`${period(file)} is not over: more bars will come`);
  return said;
}

const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

function days(names) {
  const named = names.slice(0, DAYS_NAMED).join(", ");
  return names.length > DAYS_NAMED ? `${named} and ${names.length - DAYS_NAMED} more days` : named;
}

/** Writes months, `YYYY-MM`, as spans of months that follow one another. */
export function spans(months) {
  const number = (month) => Number(month.slice(0, 4)) * 12 + Number(month.slice(5));
  const found = [];
  for (const month of months) {
    const last = found.at(-1);
    if (last && number(last.to) + 1 === number(month)) last.to = month;
    else found.push({ from: month, to: month });
  }
  return found.map(({ from, to }) => (from === to ? from : `${from} to ${to}`)).join(", ");
}
