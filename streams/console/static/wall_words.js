// What a wall says of its site; the same as streams/console/pages/wall.py says in the first paint.

import { number, t, tn } from "./i18n.js";
import * as words from "./words.js";

export function range({ inside_low: low, inside_high: high }) {
  return low < high ? t("between {low} and {high}", { low: number(low), high: number(high) }) : "";
}

export function share({ inside, capacity }) {
  if (!capacity) return "";
  return t("{percent} % of {capacity}", { percent: Math.floor((100 * inside) / capacity), capacity: number(capacity) });
}

export function room({ inside, capacity }) {
  if (capacity == null) return "";
  const left = capacity - inside;
  if (left === 0) return t("full");
  return left > 0 ? tn("room for {n} more", "room for {n} more", left) : tn("{n} too many", "{n} too many", -left);
}

export function fullness({ inside, capacity }) {
  if (capacity == null || 10 * inside < 9 * capacity) return "";
  return inside > capacity ? "over" : "near";
}

// What the figures are worth, and why not more, for one who hears the server.
export function trust(site, state, pipeline, nowMs, zone) {
  if (state === "rebuilding") return t("Not current: what was lost is being counted again");
  if (state === "stale") {
    const away = pipeline.missing.length ? ` (${words.away(pipeline.missing)})` : "";
    return `${stopped(site, nowMs, zone)}${away}`;
  }
  if (site.received_ms == null) return t("Counting goes on; this museum was not heard yet");
  const silence = words.span(nowMs - site.received_ms);
  if (state === "quiet") return t("Counting goes on; nothing heard from this museum for {span}", { span: silence });
  return t("Live, counted {span} ago", { span: words.span(nowMs - site.confirmed_ms) });
}

function stopped({ confirmed_ms: confirmedMs }, nowMs, zone) {
  if (confirmedMs == null) return t("Nothing counted yet");
  return t("Not current {since}: counting stopped", { since: words.since(confirmedMs, zone, nowMs) });
}

// For one who does not: ``why`` is what the server answered, if it answered at all.
export function lost(sinceMs, nowMs, zone, why) {
  const since = words.since(sinceMs, zone, nowMs);
  if (why === "") return t("Not current {since}: this screen lost its connection, trying again", { since });
  return t("Not current {since}: {why}", { since, why });
}
