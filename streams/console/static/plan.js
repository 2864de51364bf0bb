// Keeps a floor plan up to its numbers. The numbers themselves are painted by the page like all others; what follows from
// them (how full a zone looks, what its link says) follows here. Floors and zones are links of the server, fetched
// and swapped in place; without this script they open as pages.

import { t, tn } from "./i18n.js";
import * as words from "./words.js";

const SHARES = [25, 50, 85, 100];
const SESSIONS = [5, 20];

const reached = (bounds, value) => bounds.filter((bound) => bound <= value).length;

export function band(kind, value, capacity) {
  if (!(value > 0)) return 0;
  if (kind === "sessions") return 1 + reached(SESSIONS, value);
  return capacity === null ? 1 : 1 + reached(SHARES, Math.floor((100 * value) / capacity));
}

function said(kind, zone, n, capacity) {
  if (kind === "sessions") return tn("{zone}: {n} session", "{zone}: {n} sessions", n, { zone });
  if (capacity === null) return tn("{zone}: {n} person", "{zone}: {n} people", n, { zone });
  return tn("{zone}: {n} person, {share}", "{zone}: {n} people, {share}", n, { zone, share: words.share(n, capacity) });
}

function set(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

function text(element, value) {
  if (element && element.textContent !== value) element.textContent = value;
}

const numberOf = (value) => (value === "" || value === undefined ? null : Number(value));

// Everything that follows from one zone's number.
function follow(plan, figure) {
  const id = figure.dataset.zone;
  const value = Number(figure.dataset.value);
  for (const link of plan.querySelectorAll(`.zone[data-plan-zone="${CSS.escape(id)}"]`)) {
    const { kind, name } = link.dataset;
    const capacity = numberOf(link.dataset.capacity);
    if ((kind === "headcount") !== (figure.dataset.figure === "inside")) continue;
    const reachedBand = band(kind, value, capacity);
    set(link, "data-band", reachedBand);
    set(link, "aria-label", said(kind, name, value, capacity));
    const count = plan.querySelector(`[data-count-of="${CSS.escape(id)}"]`);
    if (count) set(count, "data-band", reachedBand);
    if (capacity !== null && kind === "headcount") text(count?.querySelector("[data-zone-unit]"), t("{percent} %", { percent: Math.floor((100 * value) / capacity) }));
  }
}

function followAll(records) {
  const plan = document.getElementById("plan");
  const figures = new Set(records.map((record) => record.target).filter((one) => one.matches?.("[data-figure][data-zone]")));
  for (const figure of figures) {
    if (plan) follow(plan, figure);
    if (figure.dataset.figure !== "inside") continue;
    for (const share of document.querySelectorAll(`[data-zone-share="${CSS.escape(figure.dataset.zone)}"]`)) {
      text(share, words.share(Number(figure.dataset.value), Number(share.dataset.capacity)));
    }
  }
}

new MutationObserver(followAll).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-value"] });

// ---- choosing a floor or a zone ----

let turn = 0;

async function open(address, push) {
  const mine = ++turn;
  const response = await fetch(address);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const there = page.getElementById("plan");
  const here = document.getElementById("plan");
  if (mine !== turn || !there || !here) return false;
  const asked = new URL(address, location.href).searchParams;
  here.replaceWith(document.adoptNode(there));
  dispatchEvent(new Event("musee:parts")); // the page paints what is new
  if (push) history.pushState(null, "", address);
  const panel = asked.has("zone") ? document.getElementById("zone-panel-title") : null;
  (panel ?? there.querySelector("[aria-current]") ?? there.querySelector("a"))?.focus({ preventScroll: panel === null });
  return true;
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("a[data-plan-link]");
  if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const address = link.getAttribute("href");
  try {
    if (!(await open(address, true))) location.assign(address);
  } catch {
    document.getElementById("announcer").textContent = t("The plan cannot be fetched at the moment.");
  }
});

// ---- the control room: the plan of the site that is fullest ----

async function renewWorst() {
  const here = document.getElementById("worst");
  const first = document.querySelector("#sites > [data-row]:not([hidden])");
  if (!here || !first || document.hidden || document.querySelector("#sites").dataset.sought) return;
  if (first.dataset.row === here.dataset.worst || here.contains(document.activeElement)) return;
  try {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    const there = page.getElementById("worst");
    if (!there || !here.isConnected) return;
    here.replaceWith(document.adoptNode(there));
    dispatchEvent(new Event("musee:parts"));
  } catch {
    // The line says that it is lost; asked again in ten seconds.
  }
}
setInterval(renewWorst, 10_000);
