// Watches over a wall that nobody can touch: whatever keeps it from running, it starts over when its page can be had.

const EVERY_MS = 10_000;

// A page is left only for one that is there: a browser's own error page would stay for ever.
export async function startOver() {
  try {
    const response = await fetch(location.href, { cache: "no-store" });
    if (response.ok) location.reload();
  } catch {
    // The server is away; asked again.
  }
}

// Spread out: all walls of a house lose their server in the same instant.
const later = () => setTimeout(async () => (await startOver(), later()), EVERY_MS * (0.75 + Math.random() / 2));

if (document.body.dataset.kind !== "wall") later(); // there is no such site, or not yet
else import("./wall_page.js").catch(later); // a module did not arrive
