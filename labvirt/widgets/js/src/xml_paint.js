// Colours of XML, a line at a time: what a line begins in decides what it is.
import { make } from "./dom.js";

export const START = "text";

/** In each state: what ends or divides it, as [pattern, class, next state]. */
const RULES = {
  text: [
    [/^<!--/, "comment", "comment"],
    [/^<[?!][^>]*>?/, "meta", "text"],
    [/^<\/?[\w:.-]*/, "tag", "tag"],
    [/^&[\w#]*;?/, "meta", "text"],
    [/^[^<&]+/, "", "text"],
  ],
  comment: [
    [/^.*?-->/, "comment", "text"],
    [/^.+/, "comment", "comment"],
  ],
  tag: [
    [/^\/?>/, "tag", "text"],
    [/^[\w:.-]+(?=\s*=)/, "name", "tag"],
    [/^'[^'<]*'/, "value", "tag"],
    [/^"[^"<]*"/, "value", "tag"],
    [/^'[^'<]*$/, "value", "single"],
    [/^"[^"<]*$/, "value", "double"],
    [/^</, "wrong", "text"],
    [/^\s+|^=/, "", "tag"],
    [/^[^\s=/><'"]+|^./, "", "tag"],
  ],
  single: [
    [/^[^']*'/, "value", "tag"],
    [/^.+/, "value", "single"],
  ],
  double: [
    [/^[^"]*"/, "value", "tag"],
    [/^.+/, "value", "double"],
  ],
};

/** Put a line's text into an element, in colours; returns the state in which the next one begins. */
export function paint(row, text, from) {
  let state = from;
  let rest = text;
  while (rest) {
    const [found, look, next] = RULES[state]
      .map(([pattern, name, then]) => [pattern.exec(rest)?.[0], name, then])
      .find(([match]) => match) ?? [rest, "", state];
    row.append(look ? make("span", { class: `lv-x-${look}` }, found) : found);
    rest = rest.slice(found.length);
    state = next;
  }
  if (!text) row.append("\u200b"); // an empty line is as high as the others
  return state;
}
