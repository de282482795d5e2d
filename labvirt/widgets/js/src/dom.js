// Elements; names of guests are text and never become markup.
export function make(tag, attributes = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, fn] of Object.entries(value)) el.addEventListener(event, fn);
    else if (value === true) el.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) el.setAttribute(name, value);
  }
  el.append(...children.filter((child) => child !== null && child !== undefined));
  return el;
}

/** Put values into a sentence: fill("since {at}", {at: "12:00"}). */
export const fill = (text, values = {}) =>
  (text ?? "").replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));

/** Change the text only when it is another one: a screen reader says it again otherwise. */
export function say(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

export const press = (button, on) => button.setAttribute("aria-pressed", String(on));
