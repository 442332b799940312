// A chart in the frame of another site: what the page names, of the preview alone.
import { stack } from "./charts.js";
import { secondsOf } from "./format.js";
import { load } from "./workspace-panes.js";
import { addressOf } from "./workspace-state.js";

const place = document.querySelector("[data-embed]");
const state = JSON.parse(place.dataset.state);
const words = JSON.parse(place.dataset.described);

document.querySelector("[data-whole]").href = addressOf(state, null);
try {
  const { candles, panes } = await load(state, { isOpen: () => true, key: "", described: (name) => words[name] });
  stack(place, { seconds: secondsOf(state.interval), candles, panes }, { wheel: false });
} catch (error) {
  place.textContent = `The chart could not be loaded: ${error.message}`;
}
