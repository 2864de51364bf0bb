// The order of the overview: by share of capacity, then people inside, as streams/console/paint.py ranks the first one.

export const list = () => document.getElementById("sites");

const share = (site) => (site.capacity ? site.inside / site.capacity : -Infinity);

function ranked(sites) {
  const heard = [...sites].filter((site) => site.received_ms != null);
  return heard.sort((one, other) => {
    const [mine, theirs] = [share(one), share(other)];
    if (mine !== theirs) return mine > theirs ? -1 : 1;
    return other.inside - one.inside || (one.site_id < other.site_id ? -1 : 1);
  });
}

// Puts the rows that are there into today's order; false if other rows are due, which only the server can paint. Rows
// do not move under a pointer or a keyboard.
export function rank(sites) {
  const rows = list();
  if (!rows) return true;
  const due = ranked(sites).slice(0, Number(rows.dataset.limit)).map((site) => site.site_id);
  const there = new Map([...rows.children].map((row) => [row.dataset.row, row]));
  if (rows.dataset.sought) return true; // what was sought stays as it was found
  if (due.length !== there.size || !due.every((id) => there.has(id))) return false;
  if (rows.matches(":hover, :focus-within")) return true;
  due.forEach((id, place) => {
    if (rows.children[place] !== there.get(id)) rows.insertBefore(there.get(id), rows.children[place]);
  });
  return true;
}
