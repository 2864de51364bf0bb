// Keeps the comparison with a like day current: asked once a minute, said by the server in the page's language.

const EVERY_MS = 60_000;
const QUARTER_MS = 900_000;

function show(element, like) {
  element.hidden = like.said === "";
  element.dataset.value = like.change ?? "";
  if (like.read_ms !== null) element.dataset.asOf = like.read_ms;
  element.querySelector("[data-like-said]").textContent = like.said;
  element.querySelector("[data-like-then]").textContent = like.then;
}

async function renew() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("[data-like]")) {
    const site = element.dataset.like && `&site=${encodeURIComponent(element.dataset.like)}`;
    try {
      const response = await fetch(`/v1/like-day?lang=${document.documentElement.lang}${site}`);
      if (response.ok) show(element, await response.json());
    } catch {
      // What was said last stays; the page's line says that it is lost.
    }
  }
}

// The like day's people inside, on today's line, for the chart; null where there is none.
export async function likeLine(siteId) {
  try {
    const response = await fetch(`/v1/like-day?site=${encodeURIComponent(siteId)}`);
    const bins = response.ok ? (await response.json()).bins : [];
    const on = bins.filter((bin) => bin.at_ms !== null);
    return on.length ? [on.map((bin) => bin.at_ms + QUARTER_MS), on.map((bin) => bin.inside)] : null;
  } catch {
    return null;
  }
}

setInterval(renew, EVERY_MS);
