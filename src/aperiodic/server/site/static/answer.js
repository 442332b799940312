// An answer of the API as people read it.
import { element } from "./dom.js";
import { startCopyButtons } from "./site.js";

const HEADERS = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After", "X-Request-ID"];

const REASONS = {
  400: "The request is not valid.",
  401: "The key is not accepted.",
  403: "The key's plan does not include this.",
  404: "There is no such data.",
  429: "Too many requests.",
  503: "The server is busy or a part of it is down.",
};

/** Says in one sentence or two why a request failed, with the API's own hint. */
export function explain(answer, body) {
  const reason = REASONS[answer.status] ?? `The server answered ${answer.status}.`;
  const wait = answer.headers.get("Retry-After");
  return [body.error?.startsWith(reason) ? "" : reason, body.error, body.hint, wait && `Try again in ${wait} s.`].filter(Boolean).join(" ");
}

/** Text in a block of code that can be copied. */
export function copyable(label, text) {
  const figure = element("figure", { class: "code", "data-code": "" },
    element("figcaption", {}, element("span", {}, label), element("button", { class: "copy", type: "button", "data-copy": "", hidden: "" }, "Copy")),
    element("pre", { tabindex: "0", "aria-label": label }, element("code", {}, text)),
  );
  const around = element("div", {}, figure);
  startCopyButtons(around);
  return around;
}

/** Shows status, headers and body of an answer. */
export function showAnswer(place, answer, body, milliseconds) {
  const told = HEADERS.filter((name) => answer.headers.has(name));
  const json = copyable("The answer, JSON", JSON.stringify(body, null, 2));
  json.querySelector("pre").classList.add("long");
  place.replaceChildren(
    element("h3", {}, "The answer"),
    element("p", {}, element("span", { class: `chip ${answer.ok ? "accent" : "warm"}` }, `${answer.status} ${answer.statusText}`.trim()), ` in ${Math.round(milliseconds)} ms`),
    element("dl", { class: "headers" }, ...told.flatMap((name) => [element("dt", {}, name), element("dd", {}, answer.headers.get(name))])),
    json,
  );
  place.hidden = false;
}
