// The keyboard of a board; the help line under it says what the keys do.

export function bindKeys(shell) {
  const actions = {
    ArrowLeft: (event) => shell.step(event.shiftKey ? -10 : -1),
    ArrowRight: (event) => shell.step(event.shiftKey ? 10 : 1),
    Home: () => shell.data?.n && shell.point(shell.data.times[0]),
    End: () => shell.data?.n && shell.point(shell.newest),
    "+": () => shell.scale(0.5),
    "=": () => shell.scale(0.5),
    "-": () => shell.scale(2),
    0: () => shell.reset(),
    " ": () => (shell.meta.replay ? shell.replay.toggle() : shell.pause(!shell.paused)),
    t: () => shell.toggleTable(),
    Escape: () => shell.point(null),
  };
  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !shell.meta) return;
    // A focused button keeps its own keys.
    const inside = event.target !== shell.root && event.target.closest("button, input, select");
    if (inside && [" ", "Enter", "ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) {
      event.stopPropagation();
      return;
    }
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action(event);
    shell.tell();
  };
  shell.root.addEventListener("keydown", press);
  return () => shell.root.removeEventListener("keydown", press);
}
