// Alerts without a mouse, on every page that has ``[data-alert-id]``: j and k go from one to the next, a opens the form
// of the one that has the focus, Enter sends it, Escape closes it, w (or Enter on the alert) asks why. Links and forms
// do the same by Tab, and without this script the link leads to the form on a page of its own.

import { t } from "./i18n.js";
import { onKey } from "./keys.js";

const cards = () => [...document.querySelectorAll("[data-alert-id]")].filter((one) => one.checkVisibility());
const current = () => document.activeElement?.closest("[data-alert-id]") ?? null;
const formOf = (card) => card?.querySelector("form[data-take]") ?? null;

function go(step) {
  const all = cards();
  if (all.length === 0) return false;
  const at = all.indexOf(current());
  const next = at < 0 ? all[step > 0 ? 0 : all.length - 1] : all[Math.min(all.length - 1, Math.max(0, at + step))];
  focus(next);
  return true;
}

function focus(card) {
  if (!card.hasAttribute("tabindex")) card.tabIndex = -1;
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

// The time of day is asked for only where it is chosen.
function fit(form) {
  form.querySelector(".own").hidden = form.elements.for.value !== "own";
  form.querySelector("[data-cancel]").hidden = false;
}

function open(card) {
  const form = formOf(card);
  if (!form) return false;
  form.hidden = false;
  fit(form);
  form.elements.by.focus();
  form.elements.by.select();
  card.scrollIntoView({ block: "nearest" });
  return true;
}

function close(form) {
  const card = form.closest("[data-alert-id]");
  form.hidden = true;
  say(form, "");
  focus(card);
}

function say(form, text) {
  form.querySelector("[data-message]").textContent = text;
  if (text) document.getElementById("announcer").textContent = text;
}

function acknowledgeCurrent() {
  const card = current() ?? cards()[0];
  if (!card) return false;
  if (open(card)) return true;
  if (!card.querySelector("[data-acknowledge]")) return false; // a viewer's page
  location.assign(`/alerts?acknowledge=${encodeURIComponent(card.dataset.alertId)}`);
  return true;
}

function why(card) {
  const link = card?.querySelector("[data-why]");
  if (!link) return false;
  link.click();
  return true;
}

// What the server answers, in the page's language; nothing was changed by any of these but perhaps the last.
function refusal(code) {
  switch (code) {
    case "unknown-alert": return t("No alert has this id any more. Nothing was changed.");
    case "closed-alert": return t("This alert is closed already. Nothing was changed.");
    case "changed-alert": return t("This alert changed meanwhile. Nothing was changed; look at it and send again.");
    case "who": return t("Name the post that looks after it, in 1 to 100 characters. Nothing was changed.");
    case "until": return t("Name a time within the next 24 hours. Nothing was changed.");
    case "forbidden": return t("You may look, but not acknowledge. Nothing was changed.");
    default: return t("Live state or Kafka does not answer. Look whether it is acknowledged before you send it again.");
  }
}

async function send(form) {
  if (form.dataset.sending) return;
  form.dataset.sending = "yes";
  const token = document.querySelector("meta[name=csrf-token]")?.content;
  const headers = { Accept: "application/json", ...(token ? { "X-CSRF-Token": token } : {}) };
  try {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.getAttribute("action"), { method: "POST", headers, body });
    if (answer.ok) {
      const told = await answer.json();
      for (const other of document.querySelectorAll("form[data-take]")) if (!other.elements.by.value) other.elements.by.value = told.acknowledged_by;
      close(form);
      document.getElementById("announcer").textContent = t("Acknowledged.");
      dispatchEvent(new CustomEvent("musee:alerts"));
      return;
    }
    const code = answer.status === 403 ? "forbidden" : (await answer.json().catch(() => ({}))).code;
    say(form, refusal(code));
    if (code === "until" && form.elements.for.value === "own") form.elements.time.focus();
    else if (code === "who") form.elements.by.focus();
    if (code === "changed-alert" || code === "closed-alert") dispatchEvent(new CustomEvent("musee:alerts"));
  } catch {
    say(form, refusal("unavailable"));
  } finally {
    delete form.dataset.sending;
  }
}

export function bindAlertKeys() {
  onKey("j", () => go(1));
  onKey("k", () => go(-1));
  onKey("a", acknowledgeCurrent);
  onKey("w", () => why(current()));
  onKey("Enter", () => document.activeElement?.dataset.alertId !== undefined && why(current()));
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-acknowledge], [data-cancel]");
    if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const card = link.closest("[data-alert-id]");
    const form = formOf(card);
    if (!form) return;
    event.preventDefault();
    if (form.hidden) open(card);
    else close(form);
  });
  document.addEventListener("keydown", (event) => {
    const form = event.key === "Escape" ? event.target.closest?.("form[data-take]") : null;
    if (!form) return;
    event.preventDefault();
    close(form);
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form[data-take]");
    if (form) fit(form);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target.closest?.("form[data-take]");
    if (!form) return;
    event.preventDefault();
    send(form);
  });
  for (const form of document.querySelectorAll("form[data-take]:not([hidden])")) fit(form);
}
