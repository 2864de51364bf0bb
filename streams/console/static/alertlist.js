// Puts newer alerts in the place of older ones without taking anything from whoever works on them: a form that is open
// stays as it is, typed text, focus and selection included; only what is told around it is new.

const ATTRIBUTES = ["data-severity", "data-alert-state", "data-version", "data-listed"];

// What has the focus, as a name that is the same on both sides.
function focused(root) {
  const card = document.activeElement?.closest("[data-alert-id]");
  if (!card || !root.contains(card)) return null;
  const part = ["data-acknowledge", "data-why", "data-site-link"].find((name) => document.activeElement.hasAttribute(name));
  return { id: card.dataset.alertId, element: document.activeElement, part };
}

function renewCard(card, newer) {
  for (const name of ATTRIBUTES) card.setAttribute(name, newer.getAttribute(name));
  const [told, there] = [card.querySelector(".told"), newer.querySelector(".told")];
  if (told.innerHTML !== there.innerHTML) told.replaceWith(there);
  const [form, sent] = [card.querySelector("form[data-take]"), newer.querySelector("form[data-take]")];
  if (form && sent) form.elements.version.value = sent.elements.version.value;
  else if (form || sent) form ? form.remove() : card.append(sent);
}

// The cards of one list in the order of the newer one. Those beside the one with the focus are moved, never it itself.
function order(host, cards) {
  const wanted = new Set(cards);
  for (const child of [...host.children]) if (!wanted.has(child)) child.remove();
  const anchor = cards.findIndex((card) => card.parentElement === host && card.contains(document.activeElement));
  if (anchor < 0) {
    cards.forEach((card, place) => { if (host.children[place] !== card) host.insertBefore(card, host.children[place] ?? null); });
    return;
  }
  for (const card of cards.slice(0, anchor)) host.insertBefore(card, cards[anchor]);
  for (const card of cards.slice(anchor + 1)) host.append(card);
}

// ``here`` becomes what ``there`` is; both hold lists ``[data-cards]`` of alerts, in the same order. Without such a list
// an element is one itself. Returns the ids of alerts that are open there and were not here at all.
export function renewAlerts(here, there) {
  const focus = focused(here);
  const stood = new Map([...here.querySelectorAll("[data-alert-id]")].map((card) => [card.dataset.alertId, card]));
  const lists = (root) => { const found = [...root.querySelectorAll("[data-cards]")]; return found.length ? found : [root]; };
  const added = [];
  const newer = lists(there);
  lists(here).forEach((host, place) => {
    if (!newer[place]) return;
    const cards = [...newer[place].children].map((child) => {
      const id = child.dataset.alertId;
      const card = id === undefined ? null : stood.get(id);
      if (!card) {
        if (child.dataset.alertState === "OPEN" && child.dataset.listed === "shown") added.push(id);
        return child;
      }
      renewCard(card, child);
      return card;
    });
    order(host, cards);
  });
  for (const form of here.querySelectorAll("details:not([open]) form[data-take]:not([hidden])")) form.closest("details").open = true;
  if (focus && document.activeElement !== focus.element) {
    const card = here.querySelector(`[data-alert-id="${focus.id}"]`);
    const again = here.contains(focus.element) ? focus.element : focus.part ? card?.querySelector(`[${focus.part}]`) : card;
    (again ?? card)?.focus({ preventScroll: true });
  }
  return added;
}
