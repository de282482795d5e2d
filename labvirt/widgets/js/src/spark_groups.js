// Groups of the table: a heading for each host, state, tag or system, with its domains below it.
// An entry of the table is a slot, the key of a heading, or "slot@heading" where a domain is shown
// once more (it has several tags).

export const GROUPS = ["host", "state", "tag", "os", ""];

const TITLES = { tag: "no_tag", os: "no_os" };

const keysOf = (row, kind) => {
  if (kind === "tag") return row.tags.length ? row.tags : [""];
  return [kind === "state" ? row.state : row[kind]];
};

// Entries in the order in which they are shown; `shown` are sorted slots.
export function grouped(rows, shown, look, words, filtered) {
  const kind = look.group;
  rows.headings.clear();
  if (!kind) return shown;
  const members = new Map(kind === "host" ? [...rows.hosts.keys()].map((host) => [host, []]) : []);
  for (const slot of shown) {
    for (const key of keysOf(rows.rows.get(slot), kind)) {
      if (!members.has(key)) members.set(key, []);
      members.get(key).push(slot);
    }
  }
  const order = [...members.keys()].sort((a, b) => !a - !b || a.localeCompare(b));
  const [found, seen] = [[], new Set()];
  for (const key of order) {
    const below = members.get(key);
    if (filtered && !below.length) continue;
    const fold = kind === "host" ? key : `${kind}:${key}`;
    if (kind !== "host") rows.headings.set(fold, heading(rows, kind, key, fold, below, words));
    if (kind !== "host" || rows.hosts.has(key)) found.push(kind === "host" ? rows.hosts.get(key) : fold);
    for (const slot of look.folded.has(fold) ? [] : below) {
      found.push(seen.has(slot) ? `${slot}@${fold}` : slot);
      seen.add(slot);
    }
  }
  return found;
}

function heading(rows, kind, key, fold, slots, words) {
  const first = rows.rows.get(slots[0]);
  const name = kind === "state" ? words.states[first.text] ?? first.text : key || words[TITLES[kind]];
  const active = slots.filter((slot) => rows.rows.get(slot).active).length;
  return {
    fold, name, plain: name.toLowerCase(), uuid: "", host: "", state: "", text: "", reason: "",
    tags: [], addresses: [], macs: [], has: [], os: "", title: "", description: "", id: null, vcpus: 0,
    active: false, stalled_since: null, stale_since: null, slot: -1,
    counts: { active, inactive: slots.length - active },
  };
}
