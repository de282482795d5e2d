// Controls of a recording: play, speed, and where in time.
import { make, press, say } from "./dom.js";
import { moment } from "./format.js";

const SPEEDS = [1, 10, 60, 600];

export function replayBar(shell) {
  const { words, stream, meta } = shell;
  const [first, last] = meta.replay.span;
  let state = stream.state;
  const toggle = () => stream.send({ t: "play", on: !state.playing });
  const play = make("button", { type: "button", "data-do": "play", on: { click: toggle } });
  const speed = make("select", {
    "aria-label": words.speed,
    on: { change: () => stream.send({ t: "play", on: state.playing ?? false, speed: +speed.value }) },
  });
  for (const each of SPEEDS) speed.append(make("option", { value: each }, `${each} ×`));
  const where = make("input", {
    type: "range",
    min: first,
    max: last,
    step: "any",
    "aria-label": words.position,
    on: { change: () => stream.send({ t: "seek", at: +where.value }) },
  });
  const shown = make("output");
  where.addEventListener("input", () => say(shown, `${moment(+where.value)} UTC`));
  const el = make("div", { class: "lv-replay" }, play, speed, where, shown);
  return {
    el,
    toggle,
    tell(next) {
      state = next;
      say(play, state.playing ? words.stop : words.play);
      press(play, !!state.playing);
      if (state.speed) speed.value = String(state.speed);
      const at = shell.stream.ring.newest;
      if (document.activeElement !== where) where.value = Number.isFinite(at) ? at : first;
      say(shown, `${moment(+where.value)} UTC`);
    },
  };
}
