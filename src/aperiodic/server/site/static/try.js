// Try it: builds a request from the form, sends it with the visitor's key, and shows what comes back.
import { copyable, explain, showAnswer } from "./answer.js";
import { element } from "./dom.js";
import { showBars } from "./download.js";
import { missing } from "./missing.js";
import { problem as problemOf } from "./rules.js";
import { isRemembered, keepKey, keptKey, keyProblem, startShowButton } from "./key.js";
import { suggestSymbols } from "./symbols.js";

const NAMES = ["timestamp", "interval", "exchange", "symbol", "start_date", "end_date"];

const form = document.querySelector("[data-try]");
const find = (name) => form.querySelector(`[data-${name}]`);

/** What the form says; `preview` when that is one of the requests that the demo key opens. */
function asked() {
  const parameters = Object.fromEntries(NAMES.map((name) => [name, form.elements[name].value.trim()]));
  const preview = entries().some((entry) => NAMES.every((name) => entry[name] === parameters[name]));
  return { parameters, preview };
}

const entries = () => [...form.querySelectorAll("[data-entry]")].map(({ dataset }) => dataset);

function path() {
  const { parameters, preview } = asked();
  const query = NAMES.map((name) => `${name}=${encodeURIComponent(parameters[name]).replaceAll("%3A", ":")}`).join("&");
  return `/api/v1/data/${preview ? "preview/" : ""}${form.dataset.metric}?${query}`;
}

/** Writes the request, and what is wrong with it before it is sent; intervals that the clock does not have cannot be chosen. */
function writeLine() {
  find("line").textContent = `GET ${path()}`;
  for (const option of form.elements.interval.options) option.disabled = "subMinute" in option.dataset && form.elements.timestamp.value !== "true";
  const found = problemOf(asked().parameters, rules());
  const place = find("problem");
  place.hidden = !found;
  place.textContent = found?.text ?? "";
  for (const name of NAMES) {
    if (found?.name === name) form.elements[name].setAttribute("aria-invalid", "true");
    else form.elements[name].removeAttribute("aria-invalid");
  }
  return found;
}

const rules = () => ({
  subMinute: [...form.elements.interval.options].filter(({ dataset }) => "subMinute" in dataset).map(({ value }) => value),
});

function say(...words) {
  form.querySelector("[data-try-status]").replaceChildren(...words);
}

function note(...parts) {
  const place = find("key-note");
  place.hidden = false;
  place.replaceChildren(...parts);
}

/** Keeps what the key box holds, where the visitor wants it kept. */
function keep() {
  const onDevice = find("remember").checked;
  keepKey(find("key").value.trim(), onDevice);
  find("kept").textContent = onDevice ? "on this device until you empty the box" : "until you close the tab";
}

function setKey(key) {
  find("key").value = key;
  keep();
}

/** Fills in the demo key and, where the dataset has one, its preview request; else says which datasets have one. */
async function useDemoKey() {
  const key = form.dataset.demoKey;
  setKey(key);
  const [entry] = entries();
  if (entry) {
    for (const name of NAMES) form.elements[name].value = entry[name];
    writeLine();
    note(`${key} is filled in, and so is the request that it opens.`);
    return;
  }
  const open = await fetch("/site/preview")
    .then((answer) => (answer.ok ? answer.json() : { entries: [] }))
    .catch(() => ({ entries: [] }));
  const metrics = [...new Set(open.entries.map(({ metric }) => metric))];
  const links = metrics.flatMap((metric, i) => [i ? ", " : "", element("a", { href: `/catalog/${metric}#try` }, metric)]);
  if (links.length) note(`${key} opens the preview, and ${form.dataset.metric} is not in it. These datasets are: `, ...links, ".");
  else note(`${key} opens the preview, and ${form.dataset.metric} is not in it.`);
}

/** Makes a key of the plan free and shows it, this once. */
async function signUp({ currentTarget: button }) {
  button.disabled = true;
  try {
    const answer = await fetch("/api/v1/signup", { method: "POST" });
    const body = await answer.json();
    if (!answer.ok) {
      note(element("p", {}, explain(answer, body)));
      return;
    }
    setKey(body.key);
    note(
      element("p", {}, `This is your key, of the plan ${body.plan}. It is shown this once: copy it to a safe place. It is already filled in above.`),
      copyable("Your key", body.key),
    );
  } catch {
    note("The server could not be reached. Check the connection and try again.");
  } finally {
    button.disabled = false;
  }
}

/** Suggests symbols that have data on the chosen exchange. */
function suggest() {
  return suggestSymbols(form.elements.exchange, find("key").value.trim() || form.dataset.demoKey, document.getElementById("t-symbols"), find("symbols-hint"));
}

async function send() {
  const answerPlace = document.querySelector("[data-try-answer]");
  const dataPlace = document.querySelector("[data-try-data]");
  const key = find("key").value.trim();
  answerPlace.hidden = dataPlace.hidden = true;
  if (!key) {
    say(form.dataset.demoKey ? `Enter a key, or use ${form.dataset.demoKey}.` : "Enter a key.");
    find("key").focus();
    return;
  }
  const problem = keyProblem(key);
  if (problem) {
    say(problem);
    find("key").focus();
    return;
  }
  const { parameters } = asked();
  const wrong = writeLine();
  if (wrong) {
    say(wrong.text);
    form.elements[wrong.name].focus();
    return;
  }
  say("Sending …");
  let answer;
  let body;
  try {
    const begin = performance.now();
    answer = await fetch(path(), { headers: { "X-API-KEY": key }, cache: "no-store" });
    body = await answer.json();
    showAnswer(answerPlace, answer, body, performance.now() - begin);
  } catch {
    say("The server could not be reached, or did not answer with JSON. Check the connection and try again.");
    return;
  }
  if (!answer.ok) {
    say(explain(answer, body));
    return;
  }
  if (!body.files.length) {
    say(`The answer has no files: nothing of ${form.dataset.metric} is published for these days. ${missing(body).map((each) => `${each}.`).join(" ")}`.trim());
    return;
  }
  await showBars(dataPlace, { metric: form.dataset.metric, ...parameters }, body, say);
}

function start() {
  document.querySelector("[data-try-plain]").hidden = true;
  form.hidden = false;
  find("remember").checked = isRemembered();
  setKey(keptKey());
  writeLine();
  form.addEventListener("input", writeLine);
  for (const name of ["key", "remember"]) find(name).addEventListener("change", keep);
  startShowButton(find("show-key"), find("key"));
  find("use-demo")?.addEventListener("click", useDemoKey);
  find("signup")?.addEventListener("click", signUp);
  form.elements.symbol.addEventListener("focus", suggest);
  form.elements.exchange.addEventListener("change", suggest);
  const button = find("send");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    button.textContent = "Working …";
    try {
      await send();
    } finally {
      button.removeAttribute("aria-busy");
      button.textContent = "Send the request";
    }
  });
}

if (form) start();
