// Keeps a wall moving, and makes it grey when it must not be believed. Its site is all it hears of.

import { ServerClock } from "./clock.js";
import { indexed, paintFigures, paintRebuilding, paintWords, stateOf } from "./figures.js";
import { Stream } from "./stream.js";
import { startOver } from "./wall.js";
import * as wall from "./wall_words.js";
import * as words from "./words.js";

const DEAF_MS = 120_000; // so long without a word, though the page itself can be had: start over

const root = document.documentElement;
const clock = new ServerClock(Number(root.dataset.nowMs));
const id = document.getElementById("page").dataset.hero;
let site = null; // as it was told last
let pipeline = null;
let rebuilding = null;
let staleAfterMs = Number(root.dataset.staleAfterMs);
let lostSinceMs = null;
let index = indexed();
let renewing = false;
let spokenAt = -Infinity;
let startedOverAt = performance.now();

const zone = () => (site && !site.replay ? site.time_zone : undefined);

const stream = new Stream(`/v1/feed?site=${encodeURIComponent(id)}`, (event, data, messageId) => {
  if (event === "hello") {
    if (data.build !== root.dataset.build) startOver();
    return;
  }
  if (event === "snapshot") clock.restart();
  clock.hear(data.now_ms);
  pipeline = data.pipeline;
  rebuilding = data.rebuilding;
  staleAfterMs = data.stale_after_ms;
  for (const told of data.sites) site = told;
  if (site) {
    site.confirmed_ms = data.confirmed[site.partition];
    site.rebuilding = rebuilding !== null && (rebuilding.partitions.includes(site.partition) || site.confirmed_ms === null);
  }
  paint(data.sites.length > 0);
  root.dataset.messageId = messageId;
  renew();
});

// ---- painting ----

function text(name, value) {
  const element = document.querySelector(`[data-wall="${name}"]`);
  if (!element) return;
  if (element.textContent !== value) element.textContent = value;
  if (element.hidden !== (value === "")) element.hidden = value === "";
}

function paint(fresh = false) {
  const nowMs = clock.now();
  const lost = stream.lost;
  const state = site ? stateOf(site, nowMs, staleAfterMs, lost) : lost ? "stale" : null;
  if (state === null) return; // nothing was heard yet, and what the server painted is young
  const speak = fresh || performance.now() - spokenAt >= 1000;
  if (site) {
    const parts = index.get(id);
    if (fresh || parts.figures.some((one) => one.dataset.state !== state)) paintFigures(site, state, parts);
    if (speak) paintWords(site, state, nowMs, zone(), parts);
    text("range", wall.range(site));
    text("share", wall.share(site));
    text("room", wall.room(site));
  } else {
    for (const element of document.querySelectorAll("[data-state]")) element.dataset.state = state;
  }
  paintRebuilding(lost ? "" : words.rebuilding(rebuilding, zone()));
  if (speak) spokenAt = performance.now();
  paintTrust(state, nowMs, lost, speak);
}

function paintTrust(state, nowMs, lost, speak) {
  const box = document.getElementById("wall");
  // Who has not heard for two seconds cannot blame the counting.
  const cut = lost || (state === "stale" && stream.silentMs > 2000);
  const kind = cut ? "lost" : state;
  if (cut) lostSinceMs ??= nowMs - stream.silentMs;
  else lostSinceMs = null;
  const changed = box.dataset.trust !== kind;
  if (changed) box.dataset.trust = kind;
  if (site) {
    const fullness = wall.fullness(site);
    if (box.dataset.fullness !== fullness) box.dataset.fullness = fullness;
  }
  if (!changed && !speak) return;
  text("trust", cut ? wall.lost(lostSinceMs, nowMs, zone(), stream.refusal) : wall.trust(site, state, pipeline, nowMs, zone()));
}

// ---- structure: painted by the server, fetched when it changes ----

const shapeOf = ({ name, replay, simulated, note, capacity, alerts }) =>
  JSON.stringify([name, replay, simulated, note ?? null, capacity ?? null, words.alertsSaid(alerts)]);

let seen = null; // shape of the site when the page was painted

async function renew() {
  if (!site || renewing) return;
  const wanted = shapeOf(site);
  seen ??= document.getElementById("wall").dataset.alerts === words.alertsSaid(site.alerts) ? wanted : "";
  if (wanted === seen) return;
  renewing = true;
  try {
    const response = await fetch(location.href, { cache: "no-store" });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const part of ["banner", "wall"]) document.getElementById(part).replaceWith(page.getElementById(part));
    document.title = page.title;
    index = indexed();
    seen = wanted;
    paint(true);
  } catch {
    // What is there stays, and grows stale; asked again with the next message.
  } finally {
    renewing = false;
  }
}

function watch() {
  const deaf = stream.silentMs > DEAF_MS && performance.now() - startedOverAt > DEAF_MS;
  if (!deaf) return;
  startedOverAt = performance.now();
  startOver();
}

setInterval(() => paint(), 250);
setInterval(watch, 10_000);
