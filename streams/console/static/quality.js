// Data quality, counted anew every minute: the server writes it, here it is only fetched. What somebody reads, types or
// has opened is left alone, and its time of counting says how old it is.

const EVERY_MS = 60_000;

async function renew() {
  const here = document.getElementById("quality");
  const busy = here?.contains(document.activeElement) || here?.querySelector("details[open]");
  if (!here || busy || document.hidden) return;
  try {
    const response = await fetch(location.href, { signal: AbortSignal.timeout(20_000) });
    if (!response.ok) return;
    const there = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("quality");
    if (!there) return;
    here.replaceChildren(...there.childNodes);
    document.dispatchEvent(new Event("repainted")); // the ages go on from here
  } catch {
    // The strip at the foot says that the console cannot be reached.
  }
}

// What was not counted in time when the page was asked for is there soon.
const soon = () => document.querySelector('#quality [data-absence="counting"]') && renew();
setInterval(renew, EVERY_MS);
setInterval(soon, 3000);
