// The account of the visitor's key: signing in and out, plan, limits and usage, rotating, signing up.
import { copyable } from "./answer.js";
import { element } from "./dom.js";
import { bytes, utc } from "./format.js";
import { isRemembered, keepKey, keptKey, keyProblem, startShowButton } from "./key.js";

const find = (name) => document.querySelector(`[data-${name}]`);
const form = find("sign-in");

const KEY_PROBLEMS = {
  unknown_key: "This key is not known here. Check that all of it was copied, and that it is a key of this server.",
  expired_key: "This key has expired. If it was rotated, use the key that took its place; else ask the operator for another.",
  revoked_key: "This key has been revoked and will not work again. Ask the operator for another.",
};

function say(kind, ...words) {
  find("status").replaceChildren(...(words.length ? [element("p", { class: kind ? `note ${kind}` : "" }, ...words)] : []));
  if (kind) find("status").scrollIntoView({ block: "center" });
}

const moment = (iso) => `${utc(Math.floor(Date.parse(iso) / 1e3))} UTC`;

/** How long it is until a time, in whole hours or minutes. */
function remaining(iso) {
  const minutes = Math.max(0, Math.round((Date.parse(iso) - Date.now()) / 6e4));
  const [amount, unit] = minutes >= 120 ? [Math.round(minutes / 60), "hours"] : [minutes, "minutes"];
  return amount ? `another ${amount} ${unit}` : "no longer";
}

const row = (name, ...value) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, ...value));

/** Sends a request with a key; answers null, and says why, when there is no good answer. */
async function ask(path, key, options = {}) {
  let answer;
  let body;
  try {
    answer = await fetch(`/api/v1/${path}`, { cache: "no-store", ...options, headers: { ...(key && { "X-API-KEY": key }), ...options.headers } });
    body = await answer.json();
  } catch {
    say("bad", "The server could not be reached, or did not answer as expected. Check the connection and try again.");
    return null;
  }
  if (answer.ok) return body;
  say("bad", KEY_PROBLEMS[body.code] ?? [body.error, body.hint].filter(Boolean).join(" "));
  return null;
}

/** Says what a key is for, and which of it the plan does not include: a scope opens nothing that the plan does not. */
function scopesOf({ scopes, plan }) {
  const without = { raw: !plan.raw };
  const said = scopes.map((scope) => (without[scope] ? `${scope} (of no use until the plan includes it)` : scope));
  return said.join(", ") || "none";
}

function showKey(account) {
  const facts = [row("Key", account.public_id ? element("code", {}, account.public_id) : "the demo key, which belongs to everybody")];
  if (account.account) facts.push(row("Account", account.account));
  if (account.label) facts.push(row("Label", account.label));
  facts.push(
    row("Plan", element("span", { class: "chip accent" }, account.plan.name)),
    row("Scopes", scopesOf(account)),
    row("Expires", account.expires_at ? `${moment(account.expires_at)}, ${remaining(account.expires_at)}` : "never"),
  );
  if (account.replaced_by) facts.push(row("Replaced by", element("code", {}, account.replaced_by)));
  find("facts").replaceChildren(...facts);
}

function showPlan({ plan, limits }) {
  const meter = element("meter", { min: "0", max: String(limits.requests_per_minute), value: String(limits.remaining), "aria-label": "Requests left" });
  find("plan").replaceChildren(
    row("Metrics", plan.tier ? `up to tier ${plan.tier}` : "the preview only"),
    row("Intervals", plan.sub_minute ? "all, from 1s" : "from 1m"),
    row("Raw ticks", plan.raw ? "included" : "not included"),
    row("Live connections", plan.live ? `${plan.live} at a time` : "none"),
    row("Requests", `${limits.requests_per_minute.toLocaleString("en")} a minute${plan.requests_per_minute === limits.requests_per_minute ? "" : ", counted for your address"}`),
    row("Left right now", meter, ` ${limits.remaining.toLocaleString("en")} of ${limits.requests_per_minute.toLocaleString("en")}; all of it in ${limits.reset_s} s`),
  );
}

function showUsage({ usage, public_id: publicId }) {
  if (!usage.length) {
    find("usage").replaceChildren(element("p", {}, publicId ? "Nothing was issued yet." : "The usage of the demo key is not shown: it is everybody's."));
    return;
  }
  const number = (text) => element("td", { class: "number" }, text);
  const head = ["Day", "Requests", "Links", "Bytes"].map((name, i) => element("th", i ? { scope: "col", class: "number" } : { scope: "col" }, name));
  const lines = [...usage].sort((a, b) => (a.day < b.day ? 1 : -1)).map((day) =>
    element("tr", {}, element("th", { scope: "row" }, day.day), number(day.requests.toLocaleString("en")), number(day.files.toLocaleString("en")), number(bytes(day.bytes))));
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...lines));
  find("usage").replaceChildren(element("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": "Usage by day" }, table));
}

function showRotation(account) {
  const why = !account.public_id
    ? "The demo key belongs to everybody, so nobody can rotate it."
    : account.replaced_by && `This key was rotated before, and can be so only once: the key ${account.replaced_by} takes its place.${account.expires_at ? ` This one works until ${moment(account.expires_at)}.` : ""}`;
  find("rotate").hidden = Boolean(why);
  find("confirm").hidden = true;
  find("no-rotation").hidden = !why;
  find("no-rotation").textContent = why || "";
}

/** Shows the account of a key, and keeps the key; says so when there is none. Returns whether it did. */
async function open(key) {
  const problem = keyProblem(key);
  if (problem) {
    say("bad", problem);
    find("key").focus();
    return false;
  }
  say("", "Asking …");
  const account = await ask("account", key);
  if (!account) {
    close();
    return false;
  }
  keepKey(key, find("remember").checked);
  showKey(account);
  showPlan(account);
  showUsage(account);
  showRotation(account);
  find("account").hidden = false;
  form.hidden = find("sign-up").hidden = true;
  say("");
  return true;
}

function close() {
  find("account").hidden = true;
  form.hidden = find("sign-up").hidden = false;
}

function signOut() {
  keepKey("", false);
  find("key").value = "";
  find("new-key").hidden = true;
  find("new-key").replaceChildren();
  close();
  say("", "Signed out. The key is forgotten by this browser.");
  find("key").focus();
}

/** Shows a key that was made just now, this once. */
function present(heading, key, ...words) {
  const place = find("new-key");
  place.replaceChildren(element("h2", {}, heading), element("p", { class: "note warm" }, ...words), copyable("Your new key", key));
  place.hidden = false;
  place.focus();
}

async function rotate() {
  const made = await ask("account/rotate", keptKey(), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ overlap_hours: Number(find("overlap").value) }),
  });
  find("confirm").hidden = true;
  if (!made) return;
  find("key").value = made.key;
  keepKey(made.key, find("remember").checked);
  await open(made.key);
  present(
    "The new key",
    made.key,
    "It is shown this once: copy it to a safe place. This page uses it from now on. The old key, ",
    element("code", {}, made.replaces),
    `, works ${remaining(made.replaced_expires_at)}, until ${moment(made.replaced_expires_at)}.`,
  );
}

async function signUp() {
  const made = await ask("signup", "", { method: "POST" });
  if (!made) return;
  find("key").value = made.key;
  keepKey(made.key, find("remember").checked);
  await open(made.key);
  present("Your free key", made.key, `It is of the plan ${made.plan}, and is shown this once: copy it to a safe place. You are signed in with it.`);
}

/** Makes a button do one thing at a time. */
function onClick(name, action) {
  const button = find(name);
  button?.addEventListener("click", async () => {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      await action();
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

function start() {
  form.hidden = false;
  const getKey = find("get-key");
  if (getKey) getKey.hidden = false;
  find("remember").checked = isRemembered();
  startShowButton(find("show-key"), find("key"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await open(find("key").value.trim())) document.getElementById("key").focus();
  });
  find("rotate").addEventListener("submit", (event) => {
    event.preventDefault();
    const hours = Number(find("overlap").value);
    find("question").textContent = hours
      ? `Make a new key? This one then works for another ${hours} ${hours === 1 ? "hour" : "hours"}, and not longer.`
      : "Make a new key? This one then stops working at once, wherever it is used.";
    find("confirm").hidden = false;
    find("confirm").focus();
  });
  onClick("yes", rotate);
  onClick("no", () => {
    find("confirm").hidden = true;
    find("ask").focus();
  });
  onClick("refresh", () => open(keptKey()));
  onClick("sign-out", signOut);
  onClick("get-key", signUp);
  const key = keptKey();
  if (key) {
    find("key").value = key;
    open(key);
  }
}

start();
