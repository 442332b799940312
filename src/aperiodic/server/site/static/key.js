// The visitor's key. It stays in this browser: for the session, or on this device if the visitor asks for that.

const NAME = "aperiodic-key";

/** Returns the kept key, or an empty text. */
export function keptKey() {
  return sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME) ?? "";
}

/** Whether the key is kept on this device, beyond the session. */
export function isRemembered() {
  return localStorage.getItem(NAME) !== null;
}

/** Keeps a key for the session or on the device, never in both; an empty one is forgotten. */
export function keepKey(key, onDevice) {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
  if (key) (onDevice ? localStorage : sessionStorage).setItem(NAME, key);
}

/** Says what is wrong with a key that cannot be sent in a header; an empty text when nothing is. */
export function keyProblem(key) {
  if (!key) return "Enter a key.";
  return /^[!-~]+$/.test(key) ? "" : "A key has only letters, digits and signs of ASCII, without spaces. Copy it once more.";
}

/** Makes a button show and hide what the box of the key holds. */
export function startShowButton(button, box) {
  button.addEventListener("click", () => {
    const hide = box.type === "text";
    box.type = hide ? "password" : "text";
    button.setAttribute("aria-pressed", String(!hide));
    button.textContent = hide ? "Show" : "Hide";
  });
}
