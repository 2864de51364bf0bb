// Keeps the page moving. The server paints structure, table and first figures; here numbers, ages and states follow
// the feed, and parts are fetched anew from the same server when the structure changes. So there is one author of each.

import { DayChart } from "./chart.js";
import { ServerClock } from "./clock.js";
import { paintConnection, paintFigures, paintWords, stateOf } from "./figures.js";
import { Stream } from "./stream.js";
import * as words from "./words.js";

const root = document.documentElement;
const clock = new ServerClock(Number(root.dataset.nowMs));
const sites = new Map();
let pipeline = null;
let staleAfterMs = Number(root.dataset.staleAfterMs);
let chart = null;
let lastSaid = "";
let lostSinceMs = null;
let spokenAt = -Infinity;

const hero = () => document.getElementById("page").dataset.hero;

// One zone for all that is said of the wall's own time: that of the site it hangs in, however the screen is set. A
// replayed site's would be taken for its own time; then the reader's.
function wallZone() {
  const site = sites.get(hero());
  return site && !site.replay ? site.time_zone : undefined;
}

// ---- what the feed says ----

const stream = new Stream("/v1/feed", (event, data, id) => {
  if (event === "hello") {
    // The server was upgraded: its page belongs to other modules than these.
    if (data.build !== root.dataset.build) location.reload();
    return;
  }
  if (event === "snapshot") {
    clock.restart();
    sites.clear();
    staleAfterMs = data.stale_after_ms;
  }
  clock.hear(data.now_ms);
  pipeline = data.pipeline;
  for (const site of data.sites) sites.set(site.site_id, site);
  for (const [siteId, confirmedMs] of Object.entries(data.confirmed ?? {})) {
    const site = sites.get(siteId);
    if (site) site.confirmed_ms = confirmedMs;
  }
  paint(true);
  root.dataset.messageId = id;
  checkShape();
  if (data.sites.some((site) => site.site_id === hero())) dayIsOld = true;
});

// ---- painting ----

const painted = new Map(); // site → its state when its words were last written

function paint(fresh) {
  const nowMs = clock.now();
  const lost = stream.lost;
  const speak = fresh || performance.now() - spokenAt >= 1000; // ages that flicker would be the loudest thing here
  if (speak) spokenAt = performance.now();
  for (const site of sites.values()) {
    const state = stateOf(site, nowMs, staleAfterMs, lost);
    const changed = painted.get(site.site_id) !== state;
    if (fresh || changed) paintFigures(site, state);
    if (speak || changed) paintWords(site, state, nowMs, wallZone());
    painted.set(site.site_id, state);
  }
  if (sites.size === 0 && lost) markAllStale();
  paintLine(nowMs, lost);
}

// The feed never came: what the server painted is all there is, and it grows old.
function markAllStale() {
  const paintedMs = Number(root.dataset.nowMs);
  const said = `stale since ${words.moment(paintedMs, undefined, paintedMs)}`;
  for (const element of document.querySelectorAll("[data-state]")) element.dataset.state = "stale";
  for (const element of document.querySelectorAll("[data-age] [data-words]")) element.textContent = said;
}

function paintLine(nowMs, lost) {
  const said = (atMs) => words.moment(atMs, wallZone(), nowMs);
  const confirmedMs = pipeline?.confirmed_ms ?? null;
  const stale = confirmedMs === null || nowMs - confirmedMs > staleAfterMs;
  // Who has not heard for two seconds cannot blame the counting.
  const cut = lost || (stale && pipeline !== null && stream.silentMs > 2000);
  let kind, sentence;
  if (cut) {
    lostSinceMs ??= nowMs - stream.silentMs;
    [kind, sentence] = ["lost", `connection lost since ${said(lostSinceMs)}, trying again`];
  } else if (pipeline === null) {
    [kind, sentence] = ["connecting", "connecting"];
  } else {
    lostSinceMs = null;
    const away = pipeline.missing.length ? ` (${pipeline.missing.join(" and ")} away)` : "";
    if (!stale) [kind, sentence] = ["live", `connected, counting${away}`];
    else if (confirmedMs === null) [kind, sentence] = ["stale", `connected, nothing counted yet${away}`];
    else [kind, sentence] = ["stale", `connected, not counting since ${said(confirmedMs)}${away}`];
  }
  paintConnection(kind, sentence);
  // Said aloud when it changes, not each second.
  if (kind !== lastSaid && lastSaid !== "") document.getElementById("announcer").textContent = sentence;
  lastSaid = kind;
}

// ---- structure: painted by the server, fetched when it changes ----

let shape = null;
let dayIsOld = false;
let renewingDay = false;
let turn = 0; // of whole pages: the latest one asked for is the one to show
let pagesAsked = 0;

function shapeOf() {
  const shapes = [...sites.values()].map(({ site_id, name, time_zone, replay, note, capacity, gates }) =>
    JSON.stringify([site_id, name, time_zone, replay, note, capacity, gates.map((gate) => [gate.gate_id, gate.name])]),
  );
  return shapes.sort().join("\n");
}

let triedAt = -Infinity;

async function checkShape() {
  const seen = shapeOf();
  const all = [...sites.keys()].every((id) => document.querySelector(`[data-site="${CSS.escape(id)}"]`));
  if (all && (shape === null || seen === shape)) {
    shape = seen;
  } else if (pagesAsked === 0 && performance.now() - triedAt > 3000) {
    triedAt = performance.now();
    if (await renewPage()) shape = seen;
  }
}

async function fetched(address) {
  const response = await fetch(address);
  if (!response.ok && response.status !== 404) throw new Error(`${address}: ${response.status}`); // 404 is a page too
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

// The hero stays whom it was, also when another site would be chosen now: a wall must not jump.
const addressOf = (siteId) => (siteId ? `/?site=${encodeURIComponent(siteId)}` : location.pathname + location.search);

async function renewPage(address = addressOf(hero())) {
  const mine = ++turn;
  pagesAsked += 1;
  try {
    const page = await fetched(address);
    if (mine !== turn) return false; // another site was chosen meanwhile
    for (const part of document.querySelectorAll("[data-part]")) part.replaceWith(page.getElementById(part.id));
    document.title = page.title;
    painted.clear();
    mount();
    if (pipeline !== null) paint(true);
    return true;
  } catch {
    return false; // the line says that it is lost; what is on the page stays, and grows stale
  } finally {
    pagesAsked -= 1;
  }
}

async function renewDay() {
  const here = document.getElementById("day");
  if (!dayIsOld || renewingDay || !here || document.hidden || stream.lost) return;
  const mine = turn;
  renewingDay = true;
  dayIsOld = false;
  try {
    const there = (await fetched(addressOf(hero()))).getElementById("day");
    if (mine !== turn || !there) return;
    for (const old of here.querySelectorAll("[data-renewed]")) {
      old.replaceChildren(...there.querySelector(`[data-renewed="${old.dataset.renewed}"]`).childNodes);
    }
    Object.assign(document.getElementById("day-table").dataset, there.querySelector("#day-table").dataset);
    chart?.renew();
  } catch {
    dayIsOld = true;
  } finally {
    renewingDay = false;
  }
}

function mount() {
  chart?.destroy();
  chart = null;
  const host = document.getElementById("chart");
  if (!host) return;
  const plots = document.createElement("div");
  plots.className = "plots";
  host.replaceChildren(plots);
  document.querySelector(".scale").hidden = true;
  chart = new DayChart(plots, document.getElementById("day-table"), document.getElementById("readout"));
}

// ---- choosing a site ----

async function choose(address, push) {
  if (!(await renewPage(address))) {
    if (stream.lost) document.getElementById("announcer").textContent = "That site cannot be fetched at the moment.";
    return;
  }
  if (push) history.pushState(null, "", address);
  scrollTo({ top: 0 });
  document.querySelector("h1")?.focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-select]");
  if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  choose(link.getAttribute("href"), true);
});
addEventListener("popstate", () => choose(location.pathname + location.search, false));

// ---- beginning ----

await document.fonts.load("450 16px Inter"); // a canvas does not repaint itself when its font arrives
mount();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart?.rebuild());
document.addEventListener("visibilitychange", () => paint(true));
setInterval(() => paint(false), 250);
setInterval(renewDay, 2000);
