// What the chart workspace shows: read from the form, written into it, and kept in the address.

const NAMES = ["interval", "timestamp", "style", "exchange", "compare", "symbol", "start_date", "end_date"];
const SWITCHES = ["interval", "timestamp", "style"];

/** What the form says: `panes`, as metric and field, and the parameters. */
export function readForm(form) {
  const state = Object.fromEntries(NAMES.map((name) => [name, SWITCHES.includes(name) ? pressed(form, name).value : (form.elements[name]?.value.trim() ?? "")]));
  if (state.compare === state.exchange) state.compare = "";
  state.panes = [...form.querySelectorAll("[data-pane]")].map(({ value }) => value).filter(Boolean).map((value) => value.split("."));
  return state;
}

/** Brings the form to what an address says; what the address leaves out stays. */
export function writeForm(form, search) {
  const given = new URLSearchParams(search);
  for (const name of NAMES) {
    const value = given.get(name) ?? (name === "compare" ? "" : null);
    if (value === null) continue;
    if (SWITCHES.includes(name)) press(form, name, value);
    else if (form.elements[name]) form.elements[name].value = value;
  }
  const fields = given.getAll("field");
  const panes = given.getAll("metric").map((metric, i) => `${metric}.${fields[i]}`);
  form.querySelectorAll("[data-pane]").forEach((select, i) => {
    if (panes.length) select.value = panes[i] ?? "";
  });
}

/** Presses one button of a switch. */
export function press(form, name, value) {
  for (const button of form.querySelectorAll(`[data-switch="${name}"] button`)) button.setAttribute("aria-pressed", String(button.value === value));
}

const pressed = (form, name) => form.querySelector(`[data-switch="${name}"] [aria-pressed="true"]`);

/** The address of what is shown; `view` is the first and last moment in view, s, or null for all. */
export function addressOf({ panes, ...state }, view) {
  const query = new URLSearchParams(panes.flatMap(([metric, field]) => [["metric", metric], ["field", field]]));
  for (const name of NAMES) if (state[name]) query.set(name, state[name]);
  if (view) query.set("view", view.join("-"));
  return `/charts?${query.toString().replaceAll("%3A", ":")}`;
}

/** The view that an address names, as first and last moment, s; null when it names none. */
export function viewOf(search) {
  const found = /^(\d{1,12})-(\d{1,12})$/.exec(new URLSearchParams(search).get("view") ?? "");
  return found && Number(found[1]) < Number(found[2]) ? [Number(found[1]), Number(found[2])] : null;
}

/** What another site puts into its page to show a chart of the preview. */
export function frameOf({ panes, ...state }, origin) {
  const query = new URLSearchParams(panes.flatMap(([metric, field]) => [["metric", metric], ["field", field]]));
  for (const name of ["interval", "timestamp", "style", "exchange", "compare"]) if (state[name]) query.set(name, state[name]);
  const height = 420 + 176 * panes.length;
  return `<iframe src="${origin}/embed/chart?${query}" title="Chart of ${state.symbol}" width="100%" height="${height}" loading="lazy" style="border: 0"></iframe>\n`;
}
