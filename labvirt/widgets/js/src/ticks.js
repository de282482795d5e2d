// Round numbers along an axis.
const CLOCK = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800,
];

const prefix = (size, base) => base ** Math.max(0, Math.floor(Math.log(size) / Math.log(base) + 1e-9));

/** Values from at or below `low` to at or above `high`; bytes are divided by powers of 1024. */
export function levels(low, high, unit, count = 4) {
  const divisor = unit === "B" ? prefix(Math.max(high, -low, 1), 1024) : 1;
  const rough = (high - low) / divisor / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((each) => each * power >= rough * 0.999) * power;
  const first = Math.floor(low / divisor / step + 1e-9);
  const last = Math.ceil(high / divisor / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step * divisor);
}

/** {values, texts} of whole seconds, minutes or days (UTC) between two times in seconds. */
export function moments(from, to, count) {
  const span = Math.max(to - from, 1e-3);
  const step = CLOCK.find((each) => each >= span / count) ?? CLOCK[CLOCK.length - 1];
  const values = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) values.push(at);
  const text = (at) => {
    const iso = new Date(at * 1000).toISOString();
    if (step >= 86400) return iso.slice(0, 10);
    return step < 60 ? iso.slice(11, 19) : span > 86400 ? iso.slice(5, 16).replace("T", " ") : iso.slice(11, 16);
  };
  return { values, texts: values.map(text) };
}
