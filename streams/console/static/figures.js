// Puts what the feed says onto the elements that the server painted. Text only: structure is the server's business.

import * as words from "./words.js";

// A figure is believed as far as its age says: by the clock of this page too, in case nobody tells us any more.
export function stateOf(site, nowMs, staleAfterMs, lost) {
  if (lost || site.confirmed_ms == null || nowMs - site.confirmed_ms > staleAfterMs) return "stale";
  if (site.received_ms == null || nowMs - site.received_ms > 5000) return "quiet";
  return "live";
}

// Writes only what differs: a wall repaints for weeks, and a reader's selection survives.
function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

function set(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

function show(element, wanted) {
  if (element.hidden === wanted) element.hidden = !wanted;
}

const of = (root, attribute, id) => root.querySelectorAll(`[${attribute}="${CSS.escape(id)}"]`);

// The numbers of one site, and the state of everything that depends on it.
export function paintFigures(site, state) {
  const gates = new Map(site.gates.map((gate) => [gate.gate_id, gate]));
  for (const element of of(document, "data-site", site.site_id)) {
    const source = element.dataset.gate === undefined ? site : gates.get(element.dataset.gate);
    set(element, "data-state", state);
    const value = source?.[element.dataset.figure];
    if (value === undefined) continue;
    set(element, "data-value", value);
    const said = words.number(value);
    set(element, "data-digits", said.length);
    text(element, said);
    if (element.dataset.figure === "denied" && element.dataset.gate === undefined) {
      show(element.closest(".denied"), value > 0);
    }
  }
  for (const element of of(document, "data-share", site.site_id)) {
    set(element, "data-state", state);
    text(element, words.share(site.inside, Number(element.dataset.capacity)));
  }
  for (const element of of(document, "data-share-of", site.site_id)) {
    set(element, "data-state", state);
    const share = site.capacity ? Math.min(100, Math.floor((100 * site.inside) / site.capacity)) : 0;
    set(element.querySelector(".taken"), "width", `${share}%`);
  }
  for (const element of of(document, "data-drift", site.site_id)) {
    show(element, site.drift > 0);
    text(element, words.drift(site.drift));
  }
  for (const element of of(document, "data-raw", site.site_id)) {
    show(element, site.drift > 0);
    text(element, words.raw(site.drift));
  }
  for (const element of of(document, "data-day-of", site.site_id)) set(element, "data-state", state);
  const hero = document.getElementById("page").dataset.hero;
  const table = document.querySelector(".gates table");
  if (table && hero === site.site_id) {
    set(table, "data-denied", site.gates.some((gate) => gate.denied) ? "some" : "none");
  }
}

// The words beside the numbers: ages and clocks.
export function paintWords(site, state, nowMs, wallZone) {
  for (const element of of(document, "data-age", site.site_id)) {
    set(element, "data-state", state);
    text(element.querySelector("[data-words]"), words.age(site, state, nowMs, wallZone));
  }
  const clockMs = words.siteClockMs(site, nowMs);
  if (clockMs == null) return;
  const time = words.clock(clockMs, site.time_zone);
  const date = words.date(clockMs, site.time_zone);
  for (const element of of(document, "data-clock", site.site_id)) {
    text(element, { time, date, full: `${date}, ${time}` }[element.dataset.format]);
  }
}

// What the page knows of its own line to the server, and of the pipeline behind it.
export function paintConnection(kind, said) {
  const element = document.getElementById("connection");
  set(element, "data-connection", kind);
  text(element.querySelector("[data-words]"), said);
}
