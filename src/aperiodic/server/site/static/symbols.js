// Suggestions of symbols: those of which the chosen exchange has published bars.
import { element } from "./dom.js";

const suggested = new Map();

/**
 * Fills a list of suggestions, and says how many there are.
 *
 * @param {HTMLSelectElement} exchanges Names the exchange.
 * @param {string} key Of the visitor; without one nothing is asked.
 * @param {HTMLDataListElement} list Is filled.
 * @param {HTMLElement} hint Is told.
 */
export async function suggestSymbols(exchanges, key, list, hint) {
  const exchange = exchanges.value;
  if (!key) {
    hint.textContent = "Suggestions need a key.";
    return;
  }
  const request = `${exchange} ${key}`;
  if (!suggested.has(request)) {
    suggested.set(request, fetch(`/api/v1/metadata/symbols?exchange=${encodeURIComponent(exchange)}`, { headers: { "X-API-KEY": key } })
      .then((answer) => (answer.ok ? answer.json() : null))
      .catch(() => null));
  }
  const body = await suggested.get(request);
  if (!body) suggested.delete(request);
  if (exchanges.value !== exchange) return;
  list.replaceChildren(...(body?.symbols ?? []).map((symbol) => element("option", { value: symbol })));
  if (!body) hint.textContent = "No suggestions: the server did not accept the key, or was not reached.";
  else if (body.symbols.length === 1) hint.textContent = `${exchange} has data of 1 symbol here.`;
  else hint.textContent = `${exchange} has data of ${body.symbols.length} symbols here.`;
}
