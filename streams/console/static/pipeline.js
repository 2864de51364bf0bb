// Keeps the strip of the pipeline's parts new. The server writes it; only that the server itself cannot be reached is
// said here, for nobody else can.

import { t } from "./i18n.js";

const EVERY_MS = 2500;
const PATIENCE_MS = 4000;
let lostSince = null;
let asking = false;

async function renew() {
  const here = document.getElementById("pipeline");
  if (!here || document.hidden || asking) return;
  asking = true;
  try {
    const response = await fetch(`/pipeline?lang=${document.documentElement.lang}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!response.ok) throw new Error(`${response.status}`);
    const there = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("pipeline");
    lostSince = null;
    // What is read or selected stays, unless it is said otherwise.
    if (there && there.outerHTML !== here.outerHTML) here.replaceWith(there);
  } catch {
    lostSince ??= new Date();
    const time = lostSince.toLocaleTimeString(document.documentElement.lang, { hourCycle: "h23" });
    here.dataset.kind = "connection";
    here.querySelector("[data-verdict]").textContent = t(
      "Your connection to the console is broken since {time}; below is how it was then. See whether this device is in the network, then whether the console runs (musee status).",
      { time },
    );
  } finally {
    asking = false;
  }
}

setInterval(renew, EVERY_MS);
document.addEventListener("visibilitychange", renew);
