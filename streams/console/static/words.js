// How ages, times and shares are said; the same as streams/console/words.py says in the first paint.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const plain = new Intl.NumberFormat("en");
export const number = (value) => plain.format(value);

export function span(ms) {
  ms = Math.max(0, ms);
  if (ms < 10 * SECOND) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} days`;
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

export function moment(atMs, zone, nowMs) {
  const time = format(zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(atMs);
  if (nowMs - atMs < DAY / 2) return time;
  const part = (name, options) => format(zone, options).formatToParts(atMs).find((one) => one.type === name).value;
  // Three letters: en-GB would write “Sept”.
  return `${part("day", { day: "numeric" })} ${part("month", { month: "long" }).slice(0, 3)} ${time}`;
}

export const clock = (atMs, zone) => format(zone, { hour: "2-digit", minute: "2-digit" }).format(atMs);

export function date(atMs, zone) {
  const parts = format(zone, { weekday: "long", day: "numeric", month: "long", year: "numeric" }).formatToParts(atMs);
  const part = (name) => parts.find((one) => one.type === name).value;
  return `${part("weekday")} ${part("day")} ${part("month")} ${part("year")}`;
}

export const siteClockMs = (site, nowMs) => (site.replay ? site.occurred_ms : nowMs);
// wallZone: the one in which the whole page says since when it is stale; undefined is the reader's own.
export function age(site, state, nowMs, wallZone) {
  if (state === "rebuilding") return "being rebuilt";
  if (state === "stale") {
    if (site.confirmed_ms == null) return "not counted yet";
    return `stale since ${moment(site.confirmed_ms, wallZone, nowMs)}`;
  }
  if (state === "quiet") {
    return heard(site.received_ms, nowMs);
  }
  return `counted ${span(nowMs - (site.confirmed_ms ?? nowMs))} ago`;
}

export const heard = (receivedMs, nowMs) =>
  receivedMs == null ? "not heard yet" : `last heard ${span(nowMs - receivedMs)} ago`;
export const device = (receivedMs, state, nowMs) =>
  `${heard(receivedMs, nowMs)}${state === "stale" ? ", counting stopped" : ""}`;
const weekdayClock = (atMs, zone) => `${format(zone, { weekday: "short" }).format(atMs)} ${clock(atMs, zone)}`;
export function rebuilding(one, wallZone) {
  if (one == null) return "";
  const [start, end] = [one.from_ms, one.to_ms].map((atMs) => weekdayClock(atMs, wallZone));
  return `Rebuilding from Kafka: from ${start} to ${end}, ${Math.floor(100 * one.share)} %`;
}
export const rating = (mean) => (mean == null ? "–" : (Math.floor(mean * 10 + 0.5) / 10).toFixed(1));
export const unheard = (sites) => (sites > 0 ? `${number(sites)} more ${sites === 1 ? "site" : "sites"}, not heard yet` : "");
export function played({ played: part, sites_heard }) {
  if (part.sites === 0 || part.sites === sites_heard) return "";
  return `${number(part.inside)} of them inside simulated or replayed sites, ${number(part.entries)} of the entries`;
}

export function share(inside, capacity) {
  const percent = capacity ? `${Math.floor((100 * inside) / capacity)} % of ${number(capacity)}` : `of ${number(capacity)}`;
  return inside > capacity ? `${percent}, over capacity` : percent;
}

export const bounds = (low, high) => (low < high ? `(${number(low)}–${number(high)})` : "");
export const drift = (below) => (below > 0 ? `Shown as 0: ${number(below)} more went out than came in.` : "");
export const tickets = (distinct) => (distinct > 0 ? `${number(distinct)} ${distinct === 1 ? "ticket" : "tickets"}` : "");
export const raw = (below) => (below > 0 ? `raw −${number(below)}` : "");

export function alerts({ open, acknowledged }) {
  if (open + acknowledged === 0) return "";
  const said = `${number(open)} ${open === 1 ? "alert" : "alerts"} open`;
  return acknowledged ? `${said}, ${number(acknowledged)} acknowledged` : said;
}

export function alertMark(shown) {
  if (shown.length === 0) return "";
  const [{ severity, level, zone, gate, state }] = shown;
  const what = level == null ? "silent" : `${level} % of capacity`;
  const place = zone || gate;
  const said = `${severity[0].toUpperCase()}${severity.slice(1)}: ${place ? `${place}, ` : ""}${what}`;
  const worst = `${said}${state === "ACKNOWLEDGED" ? ", acknowledged" : ""}`;
  return shown.length > 1 ? `${worst}, and ${shown.length - 1} more` : worst;
}

export const alertsSaid = (shown) => shown.map((one) => `${one.alert_id}:${one.version}`).join(" ");

export function since(openedMs, zone, clockMs) {
  const time = clock(openedMs, zone);
  if (date(openedMs, zone) === date(clockMs, zone)) return `since ${time}`;
  const part = (name, options) => format(zone, options).formatToParts(openedMs).find((one) => one.type === name).value;
  return `since ${part("day", { day: "numeric" })} ${part("month", { month: "long" }).slice(0, 3)} ${time}`;
}
