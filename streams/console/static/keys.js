// What can be done without a mouse, besides Tab: / finds a site, ? tells the keys. Pages add theirs with ``onKey``.

const actions = new Map();

// ``action`` is called when ``key`` is pressed outside a field; it tells by ``true`` that it took it.
export const onKey = (key, action) => actions.set(key, action);

const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]") != null;

function help() {
  const dialog = document.getElementById("help");
  if (!dialog) return false;
  if (dialog.open) dialog.close();
  else dialog.showModal();
  return true;
}

function find() {
  const field = document.querySelector("[data-find]");
  if (!field) {
    location.assign("/#find");
    return true;
  }
  field.focus();
  field.select?.();
  return true;
}

export function bindKeys() {
  onKey("?", help);
  onKey("/", find);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (actions.get(event.key)?.(event)) event.preventDefault();
  });
  const button = document.getElementById("help-button");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", help);
}
