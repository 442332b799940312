// Opens the choices before this script where the window has room for them, before they are painted.
document.currentScript.previousElementSibling.open = matchMedia("(min-width: 46rem)").matches;
