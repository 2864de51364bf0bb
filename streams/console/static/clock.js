// The server's time, from its messages and our monotonic clock; what the laptop's own clock says does not matter.

const KEPT = 30; // messages, about half a minute

export class ServerClock {
  #offsets;

  // Until the first message the page's own time counts, as if its way here had taken no time at all: ages come out
  // a little too old, never too young.
  constructor(paintedMs) {
    this.#offsets = [paintedMs];
  }

  // A new connection begins: what older ones said may be of another server.
  restart() {
    this.#offsets = [];
  }

  hear(nowMs) {
    this.#offsets.push(nowMs - performance.now());
    if (this.#offsets.length > KEPT) this.#offsets.shift();
  }

  // The message that was least delayed knows best. Messages that piled up while a tab slept must not turn time back,
  // for then old figures would look young.
  now() {
    return performance.now() + Math.max(...this.#offsets);
  }
}
