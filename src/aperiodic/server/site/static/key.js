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
