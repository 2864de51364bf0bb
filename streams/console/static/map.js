// Sums the feed's sites by area as streams/console/areas.py does, and lets the page paint the sums as it paints sites.

import { stateOf } from "./figures.js";
import { t, tn } from "./i18n.js";
import { deriveFrom, renewPage } from "./page.js";
import * as words from "./words.js";

const mapped = () => document.getElementById("mapped");

let zones = new Set();
let steps = [];
let page = null; // what the server painted last, and the parts of it by area
let parts = new Map();

function index() {
  if (page === mapped()) return;
  page = mapped();
  zones = new Set(page.dataset.zones.split(" "));
  steps = page.dataset.steps.split(" ").map(Number).slice(1);
  parts = new Map();
  for (const element of page.querySelectorAll("[data-area], [data-area-share]")) {
    const code = element.dataset.area ?? element.dataset.areaShare;
    if (!parts.has(code)) parts.set(code, { code, shapes: [], shares: [], name: "" });
    const part = parts.get(code);
    if (element.dataset.areaShare !== undefined) part.shares.push(element);
    else part.shapes.push(element);
    part.name ||= element.querySelector("title, .name")?.textContent.replace(/ \(\w+\)$/, "") ?? "";
  }
}

// The server has checked a site's département: what is there is one.
export function areaOf({ department, time_zone: zone }) {
  if (department) return department;
  const nowhere = !zone.includes("/") || zone.startsWith("Etc/");
  return nowhere || zones.has(zone) ? "unplaced" : "abroad";
}

export function summed(sites) {
  const areas = new Map();
  for (const site of sites) {
    if (site.received_ms == null) continue;
    const code = areaOf(site);
    if (!areas.has(code)) {
      areas.set(code, {
        site_id: `area:${code}`, code, inside: 0, entries: 0, sites_heard: 0, capacity: 0, inside_of_capacity: 0,
        confirmed_ms: site.confirmed_ms, received_ms: site.received_ms, rebuilding: false,
      });
    }
    const area = areas.get(code);
    area.inside += site.inside;
    area.entries += site.entries;
    area.sites_heard += 1;
    if (site.capacity != null) {
      area.capacity += site.capacity;
      area.inside_of_capacity += site.inside;
    }
    // As old as its oldest site: what is unknown of one is unknown of all.
    const unknown = area.confirmed_ms == null || site.confirmed_ms == null;
    area.confirmed_ms = unknown ? null : Math.min(area.confirmed_ms, site.confirmed_ms);
    area.received_ms = Math.min(area.received_ms, site.received_ms);
    area.rebuilding ||= Boolean(site.rebuilding);
  }
  return areas;
}

function set(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

// Names are said anew once a second: more often they would never be read out to their end.
function paintArea(area, state, nowMs, speak) {
  const part = parts.get(area.code);
  if (!part) return;
  const step = steps.filter((least) => area.inside >= least).length;
  for (const shape of part.shapes) {
    set(shape, "data-step", step);
    if (!speak || shape.dataset.labelled === undefined) continue;
    const people = tn("{name}, {code}: {n} person inside", "{name}, {code}: {n} people inside", area.inside, part);
    set(shape, "aria-label", `${people}; ${words.age(area, state, nowMs)}`);
  }
  for (const share of part.shares) {
    const said = area.capacity ? words.share(area.inside_of_capacity, area.capacity) : "";
    share.hidden = said === "";
    if (share.textContent !== said) share.textContent = said;
  }
}

let heard = new Set(); // ids of the sites that were ever heard
let labelledAt = -Infinity;

deriveFrom((sites, nowMs, staleAfterMs, lost) => {
  index();
  heard = new Set(sites.filter((site) => site.received_ms != null).map((site) => site.site_id));
  const areas = summed(sites);
  const speak = performance.now() - labelledAt >= 1000;
  if (speak) labelledAt = performance.now();
  for (const area of areas.values()) paintArea(area, stateOf(area, nowMs, staleAfterMs, lost), nowMs, speak);
  return areas.values();
});

// ---- structure: which sites are listed, and in which order the table stands ----

let renewing = false;

// A site that was listed as never heard speaks: the server paints its row.
async function renew() {
  if (renewing || document.hidden || !page) return;
  const spoke = [...page.querySelectorAll("[data-silent]")].some((one) => heard.has(one.dataset.silent));
  const more = heard.size > Number(page.dataset.known);
  if (!spoke && !more) return;
  renewing = true;
  const address = document.activeElement?.getAttribute("href");
  await renewPage();
  if (address && document.activeElement === document.body) {
    [...mapped().querySelectorAll("a")].find((one) => one.getAttribute("href") === address)?.focus({ preventScroll: true });
  }
  renewing = false;
}

const insideOf = (row) => Number(row.querySelector('[data-figure="inside"]').dataset.value || -1);

// Now and then, and not under somebody's hands: a list that jumps cannot be read.
function order() {
  const rows = document.querySelector("#areas tbody");
  if (!rows || document.hidden || page?.dataset.sort !== "people") return;
  if (rows.matches(":hover") || rows.contains(document.activeElement)) return;
  const before = [...rows.children];
  const after = before.toSorted((one, other) => insideOf(other) - insideOf(one));
  if (after.some((row, place) => row !== before[place])) rows.append(...after);
}

setInterval(renew, 3000);
setInterval(order, 10_000);
