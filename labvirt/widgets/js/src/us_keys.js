// A US keyboard: which key types a character. QEMU takes the key and leaves its meaning to the guest.

const PLAIN = "`1234567890-=[]\\;',./";
const SHIFTED = '~!@#$%^&*()_+{}|:"<>?';
const CODES = ["Backquote", ..."1234567890".split("").map((digit) => `Digit${digit}`),
  "Minus", "Equal", "BracketLeft", "BracketRight", "Backslash", "Semicolon", "Quote", "Comma", "Period", "Slash"];
const NAMED = { "\n": [0xff0d, "Enter"], "\t": [0xff09, "Tab"], " ": [0x20, "Space"] };

/** Return [keysym, code, with Shift], or undefined for a character that no key types. */
function keyOf(each) {
  if (each in NAMED) return [...NAMED[each], false];
  const code = each.charCodeAt(0);
  if (/^[a-zA-Z]$/.test(each)) return [code, `Key${each.toUpperCase()}`, each < "a"];
  for (const [row, shifted] of [[PLAIN, false], [SHIFTED, true]])
    if (row.includes(each)) return [code, CODES[row.indexOf(each)], shifted];
  return undefined;
}

/** The keys that type a text, and how many of its characters have none. */
export function keysOf(text) {
  const all = [...text.replace(/\r\n?/g, "\n")].map(keyOf);
  const keys = all.filter(Boolean);
  return { keys, lost: all.length - keys.length };
}
