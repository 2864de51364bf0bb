// Keeps the comparison with a like day current: asked once a minute, said by the server in the page's language.

const EVERY_MS = 60_000;

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

setInterval(renew, EVERY_MS);
