// How ages, times and shares are said; the same as streams/console/words.py says in the first paint.

import { decimal, months, monthsShort, number, t, tn, weekdays, weekdaysShort } from "./i18n.js";

export { number };

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const tenths = (value) => decimal.format(value);

export function span(ms) {
  ms = Math.max(0, ms);
  if (ms < 10 * SECOND) return t("{n} s", { n: tenths(Math.floor(ms / 100) / 10) });
  if (ms < MINUTE) return t("{n} s", { n: Math.floor(ms / SECOND) });
  if (ms < HOUR) return t("{n} min", { n: Math.floor(ms / MINUTE) });
  if (ms < 2 * DAY) return t("{n} h", { n: Math.floor(ms / HOUR) });
  return tn("{n} day", "{n} days", Math.floor(ms / DAY));
}

// Making a formatter costs a hundred times as much as using it, and a wall uses them for weeks.
const formats = new Map();
function format(zone, options) {
  const key = `${zone} ${JSON.stringify(options)}`;
  if (!formats.has(key)) {
    formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options }));
  }
  return formats.get(key);
}

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

// Numbers of a day on a zone's calendar; month and weekday count from 0, Monday first.
function parts(atMs, zone) {
  const told = format(zone, { weekday: "short", day: "numeric", month: "numeric", year: "numeric" }).formatToParts(atMs);
  const of = (name) => told.find((one) => one.type === name).value;
  return { weekday: WEEKDAYS.indexOf(of("weekday")), day: Number(of("day")), month: Number(of("month")) - 1, year: of("year") };
}

function shortDay(atMs, zone) {
  const { day, month } = parts(atMs, zone);
  return `${day} ${monthsShort[month]}`;
}

export function moment(atMs, zone, nowMs) {
  const time = format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(atMs);
  return nowMs - atMs < DAY / 2 ? time : `${shortDay(atMs, zone)} ${time}`;
}

export const clock = (atMs, zone) => format(zone, { hour: "2-digit", minute: "2-digit" }).format(atMs);

export function date(atMs, zone) {
  const { weekday, day, month, year } = parts(atMs, zone);
  return `${weekdays[weekday]} ${day} ${months[month]} ${year}`;
}

export const weekdayClock = (atMs, zone) => `${weekdaysShort[parts(atMs, zone).weekday]} ${clock(atMs, zone)}`;

export const siteClockMs = (site, nowMs) => (site.replay ? site.occurred_ms : nowMs);

// wallZone: the one in which the whole page says since when it is stale; undefined is the reader's own.
export function age(site, state, nowMs, wallZone) {
  if (state === "rebuilding") return t("being rebuilt");
  if (state === "stale") {
    if (site.confirmed_ms == null) return t("not counted yet");
    return t("stale since {time}", { time: moment(site.confirmed_ms, wallZone, nowMs) });
  }
  if (state === "quiet") return heard(site.received_ms, nowMs);
  return t("counted {span} ago", { span: span(nowMs - (site.confirmed_ms ?? nowMs)) });
}

export const heard = (receivedMs, nowMs) =>
  receivedMs == null ? t("not heard yet") : t("last heard {span} ago", { span: span(nowMs - receivedMs) });

export function device(receivedMs, state, nowMs) {
  const said = heard(receivedMs, nowMs);
  return state === "stale" ? t("{heard}, counting stopped", { heard: said }) : said;
}

export function rebuilding(one, wallZone) {
  if (one == null) return "";
  const [start, end] = [one.from_ms, one.to_ms].map((atMs) => weekdayClock(atMs, wallZone));
  return t("Rebuilding from Kafka: from {start} to {end}, {percent} %", { start, end, percent: Math.floor(100 * one.share) });
}

export const rating = (mean) => (mean == null ? "–" : tenths(Math.floor(mean * 10 + 0.5) / 10));

export const unheard = (sites) => (sites > 0 ? tn("{n} more site, not heard yet", "{n} more sites, not heard yet", sites) : "");

export function played({ played: part, sites_heard }) {
  if (part.sites === 0 || part.sites === sites_heard) return "";
  return t("{inside} of them inside simulated or replayed sites, {entries} of the entries", {
    inside: number(part.inside),
    entries: number(part.entries),
  });
}

export function share(inside, capacity) {
  const of = number(capacity);
  const said = capacity
    ? t("{percent} % of {capacity}", { percent: Math.floor((100 * inside) / capacity), capacity: of })
    : t("of {capacity}", { capacity: of });
  return inside > capacity ? t("{share}, over capacity", { share: said }) : said;
}

export function list(names) {
  if (names.length < 2) return names.join("");
  return t("{first} and {last}", { first: names.slice(0, -1).join(", "), last: names.at(-1) });
}
export const away = (programs) => t("{programs} away", { programs: list(programs) });

export const bounds = (low, high) => (low < high ? `(${number(low)}–${number(high)})` : "");
export const drift = (below) =>
  below > 0 ? t("Shown as 0: {people} more went out than came in.", { people: number(below) }) : "";
export const tickets = (distinct) => (distinct > 0 ? tn("{n} ticket", "{n} tickets", distinct) : "");
export const raw = (below) => (below > 0 ? t("raw −{people}", { people: number(below) }) : "");

export function alerts({ open, acknowledged }) {
  if (open + acknowledged === 0) return "";
  const said = tn("{n} alert open", "{n} alerts open", open);
  return acknowledged ? t("{open}, {n} acknowledged", { open: said, n: number(acknowledged) }) : said;
}

export const severity = (name) =>
  ({ notice: t("Notice"), warning: t("Warning"), serious: t("Serious"), critical: t("Critical") })[name];

export function alert(one) {
  const place = one.zone || one.gate;
  const level = one.level == null ? t("silent") : t("{percent} % of capacity", { percent: one.level });
  return t("{severity}: {what}", {
    severity: severity(one.severity),
    what: place ? t("{place}, {what}", { place, what: level }) : level,
  });
}

export function alertMark(shown) {
  if (shown.length === 0) return "";
  const said = alert(shown[0]);
  const worst = shown[0].state === "ACKNOWLEDGED" ? t("{alert}, acknowledged", { alert: said }) : said;
  return shown.length > 1 ? t("{alert}, and {n} more", { alert: worst, n: shown.length - 1 }) : worst;
}

export const alertsSaid = (shown) => shown.map((one) => `${one.alert_id}:${one.version}`).join(" ");

export function since(openedMs, zone, clockMs) {
  const time = clock(openedMs, zone);
  const other = date(openedMs, zone) !== date(clockMs, zone);
  const said = other ? `${shortDay(openedMs, zone)} ${time}` : time;
  return t("since {time}", { time: said });
}
