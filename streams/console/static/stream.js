// The live feed: keeps a connection, tells what it says, how long it has been silent, and why it was refused.

import { t } from "./i18n.js";

export const SILENT_MS = 4000; // the server speaks at least once a second
const GIVE_UP_MS = 10000; // a connection that is open and says nothing is replaced by a new one

export class Stream {
  #source = null;
  #heard = performance.now();
  #opened = 0;
  #listener;
  #lastId = ""; // where the next connection goes on
  #refused = null; // what the server answered instead
  #waitUntil = 0;
  #asking = false;

  // listener(event, data, id) gets hello, snapshot and delta.
  constructor(url, listener) {
    this.url = url;
    this.#listener = listener;
    this.#open();
    // EventSource comes back by itself from a lost line, but neither from an error answer nor from a dead proxy.
    setInterval(() => this.#guard(), 1000);
    addEventListener("online", () => {
      if (this.#refused === null) this.#open();
    });
  }

  get silentMs() {
    return performance.now() - this.#heard;
  }

  get lost() {
    return this.silentMs > SILENT_MS;
  }

  // Why the server gives no feed, in words; empty while it does, or does not answer.
  get refusal() {
    const { status, scope, limit } = this.#refused ?? {};
    if (status === 429 && scope === "browser") return t("this browser has {limit} live pages open, no more are served", { limit });
    if (status === 429) return t("all {limit} live pages of this console are taken", { limit });
    return status === undefined || status >= 500 ? "" : t("the server refuses the feed ({status})", { status });
  }

  // A new connection that begins with a snapshot.
  renew() {
    this.#lastId = "";
    this.#open();
  }

  get #address() {
    if (this.#lastId === "") return this.url;
    return `${this.url}${this.url.includes("?") ? "&" : "?"}last_id=${encodeURIComponent(this.#lastId)}`;
  }

  #open() {
    this.#source?.close();
    this.#opened = performance.now();
    this.#source = new EventSource(this.#address);
    for (const event of ["hello", "snapshot", "delta"]) {
      this.#source.addEventListener(event, (message) => {
        this.#refused = null;
        if (event !== "hello") {
          this.#heard = performance.now();
          this.#lastId = message.lastEventId;
        }
        this.#listener(event, JSON.parse(message.data), message.lastEventId);
      });
    }
  }

  #guard() {
    if (this.#asking || performance.now() < this.#waitUntil) return;
    if (this.#source.readyState === EventSource.CLOSED) this.#ask();
    else if (this.silentMs > GIVE_UP_MS && performance.now() - this.#opened > spread(2000)) this.#open();
  }

  // An EventSource gives up on an answer that is no stream, and does not tell it.
  async #ask() {
    this.#asking = true;
    const leave = new AbortController();
    try {
      const response = await fetch(this.#address, { signal: leave.signal });
      this.#refused = response.ok ? null : { ...(await response.json().catch(() => ({}))), status: response.status };
      if (response.status === 401) location.reload(); // the end of a session: the page itself leads to the sign-in
      const waitMs = 1000 * (Number(response.headers.get("Retry-After")) || 2);
      this.#waitUntil = performance.now() + (response.ok ? 1000 : spread(waitMs));
      if (response.ok) setTimeout(() => this.#open(), 300); // when the server has noticed that this one is left
    } catch {
      this.#refused = null;
      this.#open();
    } finally {
      leave.abort();
      this.#asking = false;
    }
  }
}

// All walls of a house lose their server in the same instant.
function spread(ms) {
  return ms * (1 + Math.random());
}
