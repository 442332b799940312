// A dataset's page: searches the fields, and lets the chart's field, interval and clock be chosen.

for (const input of document.querySelectorAll("[data-filter]")) {
  const list = document.querySelector(input.dataset.filter);
  const rows = [...list.querySelectorAll(".field-row")];
  input.hidden = false;
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    if (input.value) for (const part of list.querySelectorAll("details")) part.open = true;
    for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    for (const caveat of list.querySelectorAll(".field-caveat")) {
      caveat.hidden = !caveat.nextElementSibling.querySelector(".field-row:not([hidden])");
    }
  });
}

for (const box of document.querySelectorAll("[data-explorer]")) {
  const place = box.querySelector("[data-candles]");
  const draw = async () => (await import("./charts.js")).pair(place);
  for (const chooser of box.querySelectorAll("[data-choose]")) {
    const name = chooser.dataset.choose;
    if (chooser.tagName === "SELECT") {
      chooser.value = place.dataset[name];
      chooser.addEventListener("change", () => {
        place.dataset[name] = chooser.value;
        draw();
      });
    } else {
      chooser.addEventListener("click", ({ target }) => {
        if (!(target instanceof HTMLButtonElement)) return;
        for (const button of chooser.children) button.setAttribute("aria-pressed", String(button === target));
        place.dataset[name] = target.value;
        draw();
      });
    }
  }
}
