// Opens what is folded before this script where the window has room for it, before it is painted.
if (matchMedia("(min-width: 46rem)").matches) for (const part of document.querySelectorAll("details[data-unfold]")) part.open = true;
