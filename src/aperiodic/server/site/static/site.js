// What every page has: theme switch, copy buttons, tabs. Pages are whole without it; those in frames have no top.

const root = document.documentElement;

export function isDark() {
  const chosen = root.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export function announce(words) {
  const place = document.querySelector("[data-announcement]");
  place.textContent = words;
  place.classList.add("shown");
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => place.classList.remove("shown"), 2500);
}

/** Calls `redraw` whenever the theme changes, by the switch or by the system. */
export function onThemeChange(redraw) {
  addEventListener("aperiodic-theme", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

function startThemeSwitch() {
  const button = document.querySelector("[data-theme-switch]");
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem("aperiodic-theme", root.dataset.theme);
    dispatchEvent(new Event("aperiodic-theme"));
  });
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    announce("Copied");
  } catch {
    announce("The browser does not let this page copy; select the text instead");
  }
}

/** Makes the copy buttons below `part` work. */
export function startCopyButtons(part = document) {
  for (const block of part.querySelectorAll("[data-code]")) {
    const button = block.querySelector("[data-copy]");
    button.hidden = false;
    button.addEventListener("click", () => copy(block.querySelector("code").textContent));
  }
}

/** Shows one panel of each group at a time; arrow keys move between the tabs. */
export function startTabs(part = document) {
  for (const group of part.querySelectorAll("[data-tabs]")) {
    const tabs = [...group.querySelectorAll("[role=tab]")];
    const panels = [...group.querySelectorAll(":scope > [data-panel]")];
    const show = (chosen, focus) => {
      tabs.forEach((tab, i) => {
        tab.setAttribute("aria-selected", String(i === chosen));
        tab.tabIndex = i === chosen ? 0 : -1;
        panels[i].hidden = i !== chosen;
        panels[i].setAttribute("role", "tabpanel");
      });
      if (focus) tabs[chosen].focus();
    };
    group.querySelector("[role=tablist]").hidden = false;
    tabs.forEach((tab, i) => {
      tab.addEventListener("click", () => show(i, false));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step) show((i + step + tabs.length) % tabs.length, true);
        if (event.key === "Home") show(0, true);
        if (event.key === "End") show(tabs.length - 1, true);
      });
    });
    show(0, false);
  }
}

/** Opens one menu at a time; Escape and a click elsewhere close it. */
function startMenus() {
  const menus = [...document.querySelectorAll("[data-menu]")];
  const close = (but) => menus.forEach((menu) => menu !== but && (menu.open = false));
  document.addEventListener("click", ({ target }) => close(target.closest?.("[data-menu]")));
  document.addEventListener("keydown", ({ key }) => {
    const open = menus.find((menu) => menu.open);
    if (key !== "Escape" || !open) return;
    close();
    open.querySelector("summary").focus();
  });
}

/** The keys / and Ctrl-K (or Cmd-K) lead to the search: to that of the page, else to the one at its top. */
function startSearchKeys() {
  addEventListener("keydown", (event) => {
    const { key, ctrlKey, metaKey, altKey, target } = event;
    const typing = target.matches?.("input, select, textarea, [contenteditable]");
    const slash = key === "/" && !typing && !ctrlKey && !metaKey && !altKey;
    if (!slash && !(key.toLowerCase() === "k" && (ctrlKey || metaKey) && !altKey)) return;
    event.preventDefault();
    const box = document.querySelector("main #q") ?? document.querySelector("[data-search]");
    box.focus();
    box.select();
  });
}

/** The part that the address names; what is no name is none. */
function named() {
  try {
    return document.getElementById(decodeURIComponent(location.hash.slice(1)));
  } catch {
    return null;
  }
}

/** Opens what is folded around the part that the address names; not every browser does. */
function unfoldTarget() {
  const target = named();
  for (let part = target?.closest("details:not([open])"); part; part = target.closest("details:not([open])")) part.open = true;
  if (target?.closest("details")) target.scrollIntoView();
}

addEventListener("hashchange", unfoldTarget);
unfoldTarget();
if (document.querySelector("[data-theme-switch]")) {
  startThemeSwitch();
  startMenus();
  startSearchKeys();
}
startCopyButtons();
startTabs();
