// Numbers with their unit: bytes by 1024 (KiB), rates by 1000 (kB/s), seconds down to microseconds.

const digits = (value) => {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
};

function scaled(value, base, prefixes, unit) {
  let step = 0;
  let size = Math.abs(value);
  while (size >= base && step < prefixes.length - 1) {
    size /= base;
    step += 1;
  }
  return `${digits(value / base ** step)} ${prefixes[step]}${unit}`.trim();
}

export function format(value, unit) {
  if (!Number.isFinite(value)) return "–";
  if (unit === "%") return `${value.toFixed(1)} %`;
  if (unit === "B") return scaled(value, 1024, ["", "Ki", "Mi", "Gi", "Ti", "Pi"], "B");
  if (unit === "B/s") return scaled(value, 1000, ["", "k", "M", "G", "T"], "B/s");
  if (unit === "s") {
    if (value === 0) return "0 s";
    const size = Math.abs(value);
    if (size >= 1) return `${digits(value)} s`;
    return size >= 1e-3 ? `${digits(value * 1e3)} ms` : `${digits(value * 1e6)} µs`;
  }
  if (unit === "") return digits(value);
  return `${scaled(value, 1000, ["", "k", "M", "G"], "")}${unit === "1/s" ? "/s" : ` ${unit}`}`;
}

/** Time of day in UTC. */
export function clock(seconds) {
  return Number.isFinite(seconds) ? new Date(seconds * 1000).toISOString().slice(11, 19) : "–";
}

/** Day and time in UTC. */
export function moment(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
}

/** [from, to] of the last seconds; where time begins at a start, no more than there is since. */
export function lately(newest, seconds, { clock: kind } = {}) {
  if (kind !== "elapsed") return [newest - seconds, newest];
  const to = Math.max(Number.isFinite(newest) ? newest : 0, 1);
  return [Math.max(0, to - seconds), to];
}
