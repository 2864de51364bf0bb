// The live feed: keeps a connection, tells what it says, and how long it has been silent.

export const SILENT_MS = 4000; // the server speaks at least once a second
const GIVE_UP_MS = 10000; // a connection that is open and says nothing is replaced by a new one

export class Stream {
  #source = null;
  #heard = performance.now();
  #opened = 0;
  #listener;

  // listener(event, data, id) gets hello, snapshot and delta.
  constructor(url, listener) {
    this.url = url;
    this.#listener = listener;
    this.#open();
    // EventSource comes back by itself from a lost line, but neither from an error answer nor from a dead proxy.
    setInterval(() => this.#guard(), 1000);
    addEventListener("online", () => this.#open());
  }

  get silentMs() {
    return performance.now() - this.#heard;
  }

  get lost() {
    return this.silentMs > SILENT_MS;
  }

  // A new connection begins with a snapshot.
  renew() {
    this.#open();
  }

  #open() {
    this.#source?.close();
    this.#opened = performance.now();
    this.#source = new EventSource(this.url);
    for (const event of ["hello", "snapshot", "delta"]) {
      this.#source.addEventListener(event, (message) => {
        if (event !== "hello") this.#heard = performance.now();
        this.#listener(event, JSON.parse(message.data), message.lastEventId);
      });
    }
  }

  #guard() {
    const sinceOpen = performance.now() - this.#opened;
    const dead = this.#source.readyState === EventSource.CLOSED || this.silentMs > GIVE_UP_MS;
    // Spread out: all walls of a house lose their server in the same instant.
    if (!dead || sinceOpen <= 2000 + Math.random() * 3000) return;
    if (this.#source.readyState === EventSource.CLOSED) this.#ask();
    this.#open();
  }

  // EventSource does not tell why it was refused. When it is the end of a session, the page itself leads to the sign-in.
  async #ask() {
    const asking = new AbortController();
    const answer = await fetch(this.url, { signal: asking.signal }).catch(() => null);
    asking.abort();
    if (answer?.status === 401) location.reload();
  }
}
