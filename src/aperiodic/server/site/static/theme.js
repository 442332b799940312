// Runs before the page is drawn, so that the chosen theme does not flash and what needs scripts has its place.
(() => {
  document.documentElement.classList.add("scripted");
  const chosen = localStorage.getItem("aperiodic-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
