"""The serial console in a real JupyterLab, beside Jupyter's own terminal: echo of a key, and 10 MB.

Both have a shell of this machine behind them and draw with the same xterm.js; a guest's serial line
is far slower. Jupyter's terminal needs no kernel: its bytes go from the server straight to the page.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.measure import Goal, Result

OURS, PROMPT = "console, plain server", "console, with TCP_NODELAY"
PEER, LIMIT, PROMPT_LIMIT = "Jupyter's terminal", "60 ms", "15 ms"
BYTES, MOST, KEYS = 10_000_000, 5, 20
HEAD = "import ptyline\nfast = ptyline.shown(rows=20, scrollback=1000)\nfast"
#: Gives {type(text), drawn(): text of the screen} for each way.
SETUP = """async () => {
  const el = document.querySelector('[data-lv=ready]');
  const {term} = el.lvView;
  const text = (which) => {
    const {active} = which.buffer;
    const from = Math.max(0, active.length - 40), lines = [];
    for (let at = from; at < active.length; at += 1) lines.push(active.getLine(at).translateToString(true));
    return lines.join('\\n');
  };
  const session = await jupyterapp.serviceManager.terminals.startNew();
  const other = new term.constructor({rows: 20, cols: term.cols, scrollback: 1000});
  const host = document.createElement('div');
  el.append(host);
  other.open(host);
  session.messageReceived.connect((_, message) => {
    if (message.type === 'stdout') other.write(message.content[0]);
  });
  const send = (text) => session.send({type: 'stdin', content: [text]});
  send('PS1="$ " bash --norc --noprofile\\n');
  await new Promise((go) => setTimeout(go, 1500));
  globalThis.ways = {
    ours: {type: (text) => el.lvView.type(text), term, text: () => text(term)},
    theirs: {type: send, term: other, text: () => text(other)},
  };
  globalThis.until = (way, test) => new Promise((go) => {
    const done = way.term.onWriteParsed(() => {
      if (!test()) return;
      done.dispose();
      go();
    });
  });
}"""
ECHO = """async ([name, keys]) => {
  const way = ways[name], took = [];
  for (let n = 0; n < keys; n += 1) {
    const {active} = way.term.buffer;
    const before = active.cursorX, began = performance.now();
    const seen = until(way, () => active.cursorX !== before);
    way.type(n % 2 ? '\\x7f' : 'x');
    await seen;
    took.push(performance.now() - began);
    await new Promise((go) => setTimeout(go, 40));
  }
  return took.sort((a, b) => a - b)[keys >> 1] / 1000;
}"""
FLOOD = """async ([name, bytes, mark]) => {
  const way = ways[name], began = performance.now();
  const seen = until(way, () => way.text().includes(`\\n${mark}done`));
  way.type(`yes 'a line of a flood of text' | head -c ${bytes}; echo; echo ${mark}do''ne\\r`);
  await seen;
  return (performance.now() - began) / 1000;
}"""


@functools.cache
def measured(rounds: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return seconds of an echo and of a flood, by way."""
    from playwright.sync_api import sync_playwright

    from tests.ui.conftest import CHROMIUM, Lab, Server

    folder = Path(tempfile.mkdtemp(prefix="labvirt-bench-"))
    servers = {}
    try:
        for prompt in (True, False):
            (folder / str(prompt)).mkdir()
            servers[prompt] = Server(folder / str(prompt), prompt=prompt)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            labs = {prompt: Lab(browser, each, folder, "bench") for prompt, each in servers.items()}
            found = all_rounds(labs, rounds)
            browser.close()
            return found
    finally:
        for each in servers.values():
            each.stop()
        shutil.rmtree(folder, ignore_errors=True)


def all_rounds(
    labs: dict[bool, Any], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    books = {}
    for prompt, lab in labs.items():
        lab.page.bring_to_front()
        book = books[prompt] = lab.open("console-bench", HEAD)
        book.wait("() => document.querySelector('[data-lv=ready][data-line=open]')")
        book.wait("() => document.querySelector('[data-lv=ready]').lvView.drawn > 0")
        lab.page.evaluate(SETUP)
    echo: dict[str, list[float]] = {}
    flood: dict[str, list[float]] = {}
    for number in range(min(rounds, MOST) + 1):
        for prompt, way, name in (
            (True, PEER, "theirs"),
            (True, PROMPT, "ours"),
            (False, OURS, "ours"),
        ):
            page = labs[prompt].page
            page.bring_to_front()
            key = page.evaluate(ECHO, [name, KEYS])
            rush = page.evaluate(FLOOD, [name, BYTES, f"n{number}"])
            if number:
                echo.setdefault(way, []).append(key)
                flood.setdefault(way, []).append(rush)
    echo[LIMIT] = [0.06] * len(echo[OURS])
    echo[PROMPT_LIMIT] = [0.015] * len(echo[OURS])
    for book in books.values():
        book.page.bring_to_front()
        book.ask("fast.close()")
    return echo, flood


def echoed(rounds: int) -> Result:
    goals = (Goal(OURS, LIMIT, 1.0), Goal(PROMPT, PROMPT_LIMIT, 1.0))
    return Result("console, echo of a key", measured(rounds)[0], goals)


def flooded(rounds: int) -> Result:
    return Result("console, 10 MB drawn", measured(rounds)[1], ())
