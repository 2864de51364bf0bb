// Puts what the feed says onto the elements that the server painted. Text only: structure is the server's business.

import { t } from "./i18n.js";
import * as words from "./words.js";

// A figure is believed as far as its age says: by the clock of this page too, in case nobody tells us any more.
export function stateOf(site, nowMs, staleAfterMs, lost) {
  if (site.rebuilding && !lost) return "rebuilding";
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

const PARTS = {
  site: "figures", age: "ages", share: "shares", shareOf: "bars", bounds: "bounds", drift: "drifts", raw: "raws", dayOf: "days",
  tickets: "tickets", alertMark: "marks", alertsOf: "strips", sinceOf: "sinces", clock: "clocks", zonesMinute: "minutes", deviceOf: "devices",
};
const ATTRIBUTES = Object.keys(PARTS).map((name) => `[data-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}]`);

// Which elements tell about which site, found once for each painting of the server: looking for them anew with every
// message takes a second when a thousand sites are on the page.
export function indexed() {
  const index = new Map();
  for (const element of document.querySelectorAll(ATTRIBUTES.join())) {
    for (const [name, part] of Object.entries(PARTS)) {
      const id = element.dataset[name];
      if (id === undefined) continue;
      if (!index.has(id)) index.set(id, Object.fromEntries(Object.values(PARTS).map((one) => [one, []])));
      index.get(id)[part].push(element);
    }
  }
  return index;
}

function valueOf(site, { figure, gate, zone }) {
  let source = site;
  if (gate !== undefined) source = site.gates.find((one) => one.gate_id === gate);
  // A zone with gates has people inside, one with guides or phones has sessions.
  if (zone !== undefined) source = [...site.zones, ...site.levels].find((one) => one.zone_id === zone && figure in one);
  return figure.split(".").reduce((found, name) => found?.[name], source);
}

// The numbers of one site, and the state of everything that depends on it.
export function paintFigures(site, state, parts) {
  for (const element of parts.figures) {
    set(element, "data-state", state);
    const value = valueOf(site, element.dataset);
    if (value === undefined) continue;
    set(element, "data-value", value ?? "");
    const said = element.dataset.figure === "voice.mean_rating" ? words.rating(value) : words.number(value);
    set(element, "data-digits", said.length);
    text(element, said);
    if (element.dataset.figure === "denied" && element.dataset.gate === undefined) {
      show(element.closest(".denied"), value > 0);
    }
    const maybe = element.dataset.figure === "voice.ratings" ? null : element.closest(".maybe");
    if (maybe) show(maybe, Boolean(value));
  }
  for (const element of parts.shares) {
    set(element, "data-state", state);
    text(element, words.share(site.inside, Number(element.dataset.capacity)));
  }
  for (const element of parts.bars) {
    set(element, "data-state", state);
    const share = site.capacity ? Math.min(100, Math.floor((100 * site.inside) / site.capacity)) : 0;
    set(element.querySelector(".taken"), "width", `${share}%`);
  }
  for (const element of parts.bounds) {
    const said = words.bounds(site.inside_low, site.inside_high);
    show(element, said !== "");
    text(element, said);
  }
  for (const element of parts.drifts) {
    show(element, site.drift > 0);
    text(element, words.drift(site.drift));
  }
  for (const element of parts.tickets) {
    show(element, site.tickets > 0);
    text(element, words.tickets(site.tickets));
  }
  for (const element of parts.raws) {
    show(element, site.drift > 0);
    text(element, words.raw(site.drift));
  }
  for (const element of parts.marks) {
    show(element, site.alerts.length > 0);
    set(element, "data-severity", site.alerts[0]?.severity ?? "");
    text(element, words.alertMark(site.alerts));
  }
  for (const element of parts.strips) set(element, "data-state", state);
  for (const element of parts.days) set(element, "data-state", state);
  for (const element of parts.minutes) if (site.zones_ms != null) text(element, words.clock(site.zones_ms, site.time_zone));
  const hero = document.getElementById("page").dataset.hero;
  const table = document.querySelector(".gates table");
  if (table && hero === site.site_id) {
    set(table, "data-denied", site.gates.some((gate) => gate.denied) ? "some" : "none");
  }
}

// The words beside the numbers: ages and clocks.
export function paintWords(site, state, nowMs, wallZone, parts) {
  for (const element of parts.ages) {
    set(element, "data-state", state);
    text(element.querySelector("[data-words]"), words.age(site, state, nowMs, wallZone));
  }
  for (const element of parts.devices) {
    const device = site.devices.find((one) => one.device_id === element.dataset.device);
    set(element, "data-state", state);
    if (device) text(element.querySelector("[data-words]"), words.device(device.received_ms, state, nowMs));
  }
  const clockMs = words.siteClockMs(site, nowMs);
  if (clockMs == null) return;
  for (const element of parts.sinces) {
    text(element, words.since(Number(element.dataset.sinceMs), site.time_zone, clockMs));
  }
  for (const element of parts.clocks) {
    const time = words.clock(clockMs, site.time_zone);
    const date = words.date(clockMs, site.time_zone);
    text(element, { time, date, full: `${date}, ${time}` }[element.dataset.format]);
  }
}

// What stands beside the network's figures.
export function paintNetwork(network) {
  const unheard = document.querySelector("[data-unheard]");
  if (unheard) text(unheard, words.unheard(network.sites_known - network.sites_heard));
  const alerts = document.querySelector("[data-alert-count]");
  if (alerts) text(alerts, words.alerts(network.alerts) || t("none open"));
  const played = document.querySelector("[data-played]");
  if (!played) return;
  show(played, words.played(network) !== "");
  text(played, words.played(network));
}

// Lost figures are counted again: how far, in words above them all.
export function paintRebuilding(said) {
  const element = document.getElementById("rebuilding");
  show(element, said !== "");
  text(element, said);
}

// What the page knows of its own line to the server, and of the pipeline behind it.
export function paintConnection(kind, said) {
  const element = document.getElementById("connection");
  set(element, "data-connection", kind);
  text(element.querySelector("[data-words]"), said);
}
