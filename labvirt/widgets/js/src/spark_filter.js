// The filter in the view. Its language is read in the kernel (labvirt.status.filtering), which sends
// the terms; plain words need no kernel, so that they are found at once also while it is busy.

const NUMBERS = {
  cpu: "cpu", cpu_host: "cpu_host", mem: "memory", mem_host: "memory_host", vcpus: "vcpus",
  disk: "disk", net: "net", id: "id",
};
// A term of another kind: it has stars, or begins with a sign, a quotation mark, a field.
const SPECIAL = /[*?]|(^|\s)(-|["“«]|[A-Za-z_]+(:|=|<|>))/;
const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

export class Filter {
  constructor() {
    this.take({ text: "", terms: [], fault: null });
  }

  // What is being typed; returns whether it holds already.
  type(text) {
    if (SPECIAL.test(text)) return false;
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    this.take({
      text, fault: null,
      terms: words.map((word) => ({ field: "", op: "~", patterns: [literal(word)], not: false })),
    });
    return true;
  }

  take({ text, terms, fault }) {
    this.text = text;
    this.fault = fault;
    this.terms = terms.map((term) => ({
      ...term, patterns: term.patterns.map((pattern) => new RegExp(pattern)),
    }));
    // Numbers change by themselves; who is shown may be another one at every tick.
    this.moves = this.terms.some((term) => term.op !== "~");
  }

  get on() {
    return this.terms.length > 0;
  }

  fits(rows, row) {
    return this.terms.every((term) => holds(term, rows, row) !== term.not);
  }
}

function holds(term, rows, row) {
  if (term.op === "~") {
    const texts = textsOf(row, term.field);
    return term.patterns.some((pattern) => texts.some((text) => pattern.test(text)));
  }
  const known = term.field === "mem" && !row.active
    ? row.memory_bytes : rows.value(row.slot, NUMBERS[term.field]);
  // A canvas needs no more than 32 bits of a number, and so much is sent.
  const [found, asked] = [Math.fround(known), Math.fround(term.number)];
  switch (term.op) {
    case ">": return found > asked;
    case ">=": return found >= asked;
    case "<": return found < asked;
    case "<=": return found <= asked;
    default: return found === asked;
  }
}

function textsOf(row, field) {
  switch (field) {
    case "state": return [row.state];
    case "tag": return row.tags.map(low);
    case "address": return row.addresses.map(low);
    case "mac": return row.macs;
    case "has": return row.has;
    case "autostart": return [row.autostart ? "yes" : "no"];
    case "persistent": return [row.persistent ? "yes" : "no"];
    case "": return (row.texts ??= [
      row.name, row.title, row.description, row.os, row.host, row.text, row.uuid, ...row.tags,
      ...row.addresses, ...row.macs,
    ].map(low));
    default: return [low(row[field] ?? "")];
  }
}

const low = (text) => text.toLowerCase();

// Texts that the last word may become: fields, and values that are there.
export function completions(text, rows, words) {
  const at = text.search(/\S*$/);
  const [before, last] = [text.slice(0, at), text.slice(at)];
  const sign = last.startsWith("-") ? "-" : "";
  const word = last.slice(sign.length).toLowerCase();
  const [field, value] = word.includes(":") ? word.split(/:(.*)/) : [word, null];
  const found = value === null
    ? Object.keys(words.filter_fields).filter((key) => key.startsWith(field) && word)
      .map((key) => key + (NUMBERS[key] ? ">" : ":"))
    : [...valuesOf(field, rows)].filter((each) => each.toLowerCase().startsWith(value))
      .map((each) => `${field}:${/[\s,"]/.test(each) ? `"${each}"` : each}`);
  return found.slice(0, 12).map((each) => before + sign + each);
}

function valuesOf(field, rows) {
  const all = [...rows.rows.values()].filter((row) => row.uuid);
  switch (field) {
    case "state": return ["running", "paused", "off", "crashed", "suspended", "active", "inactive"];
    case "has": return ["snapshots", "save", "title", "description", "tags", "address", "os"];
    case "autostart":
    case "persistent": return ["yes", "no"];
    case "tag": return new Set(all.flatMap((row) => row.tags));
    case "host": return new Set(all.map((row) => row.host));
    case "os": return new Set(all.map((row) => row.os).filter(Boolean));
    default: return [];
  }
}
