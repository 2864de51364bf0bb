// Keeps /alerts up to date: asks the server for the page again when the feed says that alerts changed, and puts what is
// new in the place of what was, beside whatever is being typed.

import { renewAlerts } from "./alertlist.js";
import * as words from "./words.js";

const AT_MOST_MS = 1000; // one page a second
const HISTORY_MS = 4000; // what is said now is in ClickHouse a little later
const NOW_AND_THEN_MS = 30_000; // the feed tells only alerts that are shown

const said = new Map(); // site → its alerts, as the feed told them last
let counts = "";
let isOld = true; // what was told before this script ran is not known
let asking = false;
let askedAt = -Infinity;
let historyAt = Infinity;

addEventListener("musee:feed", ({ detail: { event, data } }) => {
  if (event === "snapshot") {
    said.clear();
    isOld = true;
  }
  for (const site of data.sites) {
    const now = words.alertsSaid(site.alerts);
    if ((said.get(site.site_id) ?? "") !== now) isOld = true;
    said.set(site.site_id, now);
  }
  const all = JSON.stringify(data.network.alerts);
  if (all !== counts) isOld = true;
  counts = all;
});
addEventListener("musee:alerts", () => {
  isOld = true;
  askedAt = -Infinity;
});

// Parts that have no form in them: swapped as they are.
function swap(page, selector) {
  const [here, there] = [document.querySelector(selector), page.querySelector(selector)];
  if (!here || !there || here.innerHTML === there.innerHTML || here.contains(document.activeElement)) return;
  here.replaceWith(there);
}

function speak(ids) {
  const texts = ids.map((id) => document.getElementById(`what-${id}`)?.textContent).filter(Boolean);
  if (texts.length) document.getElementById("announcer").textContent = texts.join(". ");
}

function put(page) {
  const [here, there] = [document.getElementById("alert-lists"), page.getElementById("alert-lists")];
  if (!there) return;
  const headings = new Map([...there.querySelectorAll("[data-list]")].map((list) => [list.dataset.list, list.hidden]));
  const summary = there.querySelector("#folded > summary").textContent;
  swap(page, ".totals-line");
  const [old, caution] = [here.querySelector(":scope > .caution"), there.querySelector(":scope > .caution")];
  if (old && !caution) old.remove();
  else if (!old && caution) here.querySelector(".totals-line").after(caution);
  else if (old) old.textContent = caution.textContent;
  const lists = [...here.querySelectorAll("[data-list]")];
  for (const list of lists) list.hidden &&= headings.get(list.dataset.list); // what is hidden takes no focus
  const added = renewAlerts(here, there);
  for (const list of lists) list.hidden = headings.get(list.dataset.list);
  here.querySelector("#folded > summary").textContent = summary;
  swap(page, "#history");
  dispatchEvent(new CustomEvent("musee:parts"));
  speak(added);
}

async function renew() {
  if (asking || document.hidden) return;
  const since = performance.now() - askedAt;
  const due = isOld || since > NOW_AND_THEN_MS || performance.now() > historyAt;
  if (!due || since < AT_MOST_MS) return;
  asking = true;
  askedAt = performance.now();
  historyAt = isOld ? askedAt + HISTORY_MS : Infinity;
  isOld = false;
  try {
    const address = new URL(location.href);
    for (const name of ["acknowledge", "done", "refused", "alert"]) address.searchParams.delete(name); // said once
    const answer = await fetch(address);
    if (answer.ok) put(new DOMParser().parseFromString(await answer.text(), "text/html"));
    else isOld = true;
  } catch {
    isOld = true; // the line says that it is lost; asked again
  } finally {
    asking = false;
  }
}

setInterval(renew, 250);
