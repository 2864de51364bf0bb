// Keeps the page moving. The server paints structure, table and first figures; here numbers, ages and states follow
// the feed, and parts are fetched anew from the same server when the structure changes. So there is one author of each.

import { bindAlertKeys } from "./alertkeys.js";
import { DayChart } from "./chart.js";
import { ServerClock } from "./clock.js";
import { indexed, paintConnection, paintFigures, paintNetwork, paintRebuilding, paintWords, stateOf } from "./figures.js";
import { likeLine } from "./likeday.js";
import { list, rank } from "./ranking.js";
import { t } from "./i18n.js";
import { bindFind } from "./find.js";
import { bindKeys } from "./keys.js";
import { Stream } from "./stream.js";
import * as words from "./words.js";

const root = document.documentElement;
const clock = new ServerClock(Number(root.dataset.nowMs));
const sites = new Map(); // those ever heard, and the one shown large; the network itself is the one without an id
const NETWORK = "";
let pipeline = null;
let confirmed = []; // partition → until when it is counted
let rebuilding = null; // what is being counted again
let staleAfterMs = Number(root.dataset.staleAfterMs);
let chart = null;
let lastSaid = "";
let lostSinceMs = null;
let spokenAt = -Infinity;

const hero = () => document.getElementById("page").dataset.hero;
const kind = () => document.body.dataset.kind;
const FOLLOWED = ["overview", "site"]; // pages whose structure follows the sites they show

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
    painted.clear();
    shapeIsOld = true;
    staleAfterMs = data.stale_after_ms;
  }
  clock.hear(data.now_ms);
  pipeline = data.pipeline;
  confirmed = data.confirmed;
  rebuilding = data.rebuilding;
  sites.set(NETWORK, { site_id: NETWORK, ...data.network, rebuilding: data.network.state === "rebuilding" });
  for (const site of data.sites) take(site);
  for (const site of sites.values()) {
    if (site.site_id === NETWORK) continue;
    site.confirmed_ms = confirmed[site.partition];
    site.rebuilding = rebuilding !== null && (rebuilding.partitions.includes(site.partition) || site.confirmed_ms === null);
  }
  paint(new Set([NETWORK, ...data.sites.map((site) => site.site_id)]));
  root.dataset.messageId = id;
  dispatchEvent(new CustomEvent("musee:feed", { detail: { event, data } }));
  checkShape();
  renewAlerts();
  if (data.sites.some((site) => site.site_id === hero())) dayIsOld = true;
  // A site that was taken away is no longer told of: only a snapshot leaves it out.
  if (heard().length > data.network.sites_heard && performance.now() - renewedAt > 10_000) {
    renewedAt = performance.now();
    stream.renew();
  }
});
let renewedAt = performance.now();

function take(site) {
  sites.set(site.site_id, site);
  const seen = shapeOf(site);
  if (shapes.get(site.site_id) !== seen) shapeIsOld = true;
  shapes.set(site.site_id, seen);
}

// A site never heard is not in the feed; the page of one asks for it.
async function meetHero() {
  const id = hero();
  if (id === "" || sites.has(id) || confirmed.length === 0) return;
  try {
    const response = await fetch(`/v1/now?site=${encodeURIComponent(id)}`);
    if (response.status === 404 && hero() === id && pagesAsked === 0) renewPage(); // it was taken away
    const [site] = response.ok ? (await response.json()).sites : [];
    if (site && hero() === id && !sites.has(id)) take({ ...site, confirmed_ms: confirmed[site.partition], rebuilding: site.state === "rebuilding" });
  } catch {
    // The line says that it is lost; this is asked again.
  }
}

// ---- painting ----

const painted = new Map(); // site → its state when its words were last written

let index = indexed(); // of what the server painted last
const ALL = { has: () => true };

// What another script makes of the sites, painted as a site is: ``makes`` gives its sums, each with a ``site_id``.
const derived = new Map();
let makes = () => [];
export const deriveFrom = (some) => (makes = some);

// Only what is on the page; numbers of the sites in ``fresh``, states and words of all. Without it, only as time goes on.
function paint(fresh) {
  const nowMs = clock.now();
  const lost = stream.lost;
  const speak = fresh !== undefined || performance.now() - spokenAt >= 1000; // ages that flicker would be the loudest thing here
  if (speak) spokenAt = performance.now();
  derived.clear();
  for (const one of makes(told(), nowMs, staleAfterMs, lost)) derived.set(one.site_id, one);
  for (const [id, parts] of index) {
    const site = sites.get(id) ?? derived.get(id);
    if (!site) continue;
    const state = stateOf(site, nowMs, staleAfterMs, lost);
    const changed = painted.get(id) !== state;
    if (changed || fresh?.has(id) || derived.has(id)) paintFigures(site, state, parts);
    if (changed || speak) paintWords(site, state, nowMs, wallZone(), parts);
    painted.set(id, state);
  }
  const network = sites.get(NETWORK);
  if (network) paintNetwork(network);
  if (lost && (!network || (hero() !== "" && !sites.has(hero())))) markAllStale();
  if (pipeline !== null) paintRebuilding(lost ? "" : words.rebuilding(rebuilding, wallZone()));
  paintLine(nowMs, lost);
}

// The feed never came: what the server painted is all there is, and it grows old.
function markAllStale() {
  const paintedMs = Number(root.dataset.nowMs);
  const said = t("stale since {time}", { time: words.moment(paintedMs, undefined, paintedMs) });
  for (const element of document.querySelectorAll("[data-state]")) element.dataset.state = "stale";
  for (const element of document.querySelectorAll("[data-age] [data-words]")) element.textContent = said;
}

function paintLine(nowMs, lost) {
  const said = (atMs) => words.moment(atMs, wallZone(), nowMs);
  const confirmedMs = pipeline?.confirmed_ms ?? null;
  const stale = confirmedMs === null || nowMs - confirmedMs > staleAfterMs;
  // Who has not heard for two seconds cannot blame the counting.
  const cut = lost || (stale && !rebuilding && pipeline !== null && stream.silentMs > 2000);
  let kind, sentence;
  if (cut) {
    lostSinceMs ??= nowMs - stream.silentMs;
    const why = stream.refusal;
    [kind, sentence] = ["lost", why || t("connection lost since {time}, trying again", { time: said(lostSinceMs) })];
  } else if (pipeline === null) {
    [kind, sentence] = ["connecting", t("connecting")];
  } else {
    lostSinceMs = null;
    if (rebuilding) [kind, sentence] = ["rebuilding", t("connected, counting again what was lost")];
    else if (!stale) [kind, sentence] = ["live", t("connected, counting")];
    else if (confirmedMs === null) [kind, sentence] = ["stale", t("connected, nothing counted yet")];
    else [kind, sentence] = ["stale", t("connected, not counting since {time}", { time: said(confirmedMs) })];
    if (pipeline.missing.length) sentence += ` (${words.away(pipeline.missing)})`;
  }
  paintConnection(kind, sentence);
  // Said aloud when it changes, not each second.
  if (kind !== lastSaid && lastSaid !== "") document.getElementById("announcer").textContent = sentence;
  lastSaid = kind;
}

// ---- structure: painted by the server, fetched when it changes ----

const shapes = new Map(); // site → what of it the server paints, on its own page at most
let shape = null; // of the page that is there
let shapeIsOld = true;
let dayIsOld = false;
let renewingDay = false;
let renewingAlerts = false;
let turn = 0; // of whole pages: the latest one asked for is the one to show
let pagesAsked = 0;
let triedAt = -Infinity;

function shapeOf({ name, place, time_zone, replay, simulated, note, capacity, gates, zones, levels, floors, devices }) {
  const ids = [gates.map((gate) => [gate.gate_id, gate.name]), zones.map((zone) => zone.zone_id), levels.map((zone) => [zone.zone_id, zone.capacity]), floors];
  return JSON.stringify([name, place, time_zone, replay, simulated, note, capacity, ids, devices.map((one) => one.device_id)]);
}

const told = () => [...sites.values()].filter((site) => site.site_id !== NETWORK);
const heard = () => told().filter((site) => site.received_ms != null);

// The sites that the page must show: one, or all of the overview; which of too many is a matter of their rank.
function wanted() {
  if (hero() !== "") return sites.has(hero()) ? [hero()] : [];
  const rows = list();
  const all = heard();
  if (rows && all.length > Number(rows.dataset.limit)) return [...rows.children].map((row) => row.dataset.row);
  return all.map((site) => site.site_id).sort();
}

async function checkShape() {
  if (!shapeIsOld || !FOLLOWED.includes(kind())) return;
  const ids = wanted();
  const seen = ids.map((id) => {
    const { name, place, replay, simulated, capacity } = sites.get(id) ?? {};
    return hero() === "" ? JSON.stringify([id, name, place, replay, simulated, capacity]) : shapes.get(id);
  }).join("\n");
  if (ids.every((id) => index.has(id)) && (shape === null || seen === shape)) {
    shape = seen;
    shapeIsOld = false;
  } else if (pagesAsked === 0 && performance.now() - triedAt > 3000) {
    triedAt = performance.now();
    if (await renewPage()) shape = seen;
  }
}

// Now and then, not with each message: a list that jumps cannot be read.
function checkRank() {
  if (kind() !== "overview") return;
  if (pipeline === null || stream.lost || document.hidden || pagesAsked > 0) return;
  if (!rank(told())) renewPage();
}

async function fetched(address) {
  const response = await fetch(address);
  if (!response.ok && response.status !== 404) throw new Error(`${address}: ${response.status}`); // 404 is a page too
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

// The hero stays whom it was, also when another site would be chosen now: a wall must not jump.
const addressOf = (siteId) => (siteId ? `/site/${encodeURIComponent(siteId)}` : location.pathname) + location.search;

export async function renewPage(address = addressOf(hero())) {
  const mine = ++turn;
  pagesAsked += 1;
  try {
    const page = await fetched(address);
    if (mine !== turn) return false; // another site was chosen meanwhile
    for (const part of document.querySelectorAll("[data-part]")) part.replaceWith(page.getElementById(part.id));
    document.title = page.title;
    document.body.dataset.kind = page.body.dataset.kind;
    painted.clear();
    mount();
    shape = null;
    shapeIsOld = true;
    if (pipeline !== null) paint(ALL);
    meetHero();
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
    const page = await fetched(addressOf(hero()));
    const there = page.getElementById("day");
    if (mine !== turn || !there) return;
    for (const old of document.querySelectorAll("[data-renewed]")) {
      const fresh = page.querySelector(`[data-renewed="${old.dataset.renewed}"]`);
      if (fresh && old.innerHTML !== fresh.innerHTML) old.replaceChildren(...fresh.childNodes); // where a reader's cursor is, it stays
    }
    Object.assign(document.getElementById("day-table").dataset, there.querySelector("#day-table").dataset);
    chart?.renew();
  } catch {
    dayIsOld = true;
  } finally {
    renewingDay = false;
  }
}

// The strip of alerts, when others are to be shown than those on the page.
async function renewAlerts() {
  const here = document.getElementById("alerts");
  const due = hero() === "" ? heard() : [sites.get(hero())].filter(Boolean);
  if (!here || !due.length || !FOLLOWED.includes(kind()) || renewingAlerts || stream.lost) return;
  const asSet = (said) => said.split(" ").sort().join(" ").trim();
  if (asSet(here.dataset.said) === asSet(words.alertsSaid(due.flatMap((site) => site.alerts)))) return;
  const mine = turn;
  renewingAlerts = true;
  try {
    const there = (await fetched(addressOf(hero()))).getElementById("alerts");
    if (mine !== turn || !there) return;
    here.replaceWith(there);
    index = indexed();
    // Said aloud when another alert is there, not when one is over.
    const shown = [...there.querySelectorAll("[data-alert-state=OPEN] strong")].map((one) => one.textContent).join(". ");
    if (shown) document.getElementById("announcer").textContent = shown;
  } catch {
    // Asked again with the next message.
  } finally {
    renewingAlerts = false;
  }
}

function mount() {
  index = indexed();
  chart?.destroy();
  chart = null;
  const host = document.getElementById("chart");
  bindFind();
  if (!host) return;
  const plots = document.createElement("div");
  plots.className = "plots";
  host.replaceChildren(plots);
  document.querySelector(".scale").hidden = true;
  const mine = (chart = new DayChart(plots, document.getElementById("day-table"), document.getElementById("readout")));
  likeLine(hero()).then((like) => like && mine === chart && mine.compare(like));
}

// ---- choosing a site ----

async function choose(address, push) {
  if (!(await renewPage(address))) {
    if (stream.lost) document.getElementById("announcer").textContent = t("That page cannot be fetched at the moment.");
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
bindKeys();
bindAlertKeys();

// The day by quarters or by hours: the same page by another address, of which the day alone is taken.
document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("a[data-grain]");
  if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  history.replaceState(null, "", link.getAttribute("href"));
  dayIsOld = true;
  await renewDay();
  document.querySelector("a[data-grain][aria-current]")?.focus({ preventScroll: true });
});

// Another module put a part of the page in place: its figures are painted like all others.
addEventListener("musee:parts", () => {
  index = indexed();
  painted.clear();
  if (pipeline !== null) paint(ALL);
});
addEventListener("popstate", () => choose(location.pathname + location.search, false));

// ---- beginning ----

await document.fonts.load("450 16px Inter"); // a canvas does not repaint itself when its font arrives
mount();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart?.rebuild());
document.addEventListener("visibilitychange", () => paint(ALL));
document.addEventListener("repainted", () => {
  index = indexed();
  painted.clear();
  if (pipeline !== null) paint(ALL);
});
setInterval(() => paint(), 250);
setInterval(renewDay, 2000);
setInterval(meetHero, 1000);
setInterval(checkRank, 10_000);
