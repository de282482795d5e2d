"""A screen of 1024x768 in the page, all of it another picture 25 times a second.

labvirt's way goes through the kernel and Jupyter's server; the peer is the same noVNC in the same
page on a plain web socket to the same display, as websockify has it. Both draw; the guest, QEMU's
encoder, the servers and the browser share this machine, which is what bounds the rate.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import labvirt as lv
from labvirt.host.display import screen_place
from tests.bench.measure import Goal, Result

OURS, PEER, LIMIT = "labvirt screen", "noVNC on a web socket", "1 s"
MOST, SECONDS = 5, 5
#: A boot sector: VBE mode 0x144 (1024x768, 32 bits); at each tick of the timer, 25 in a second, it
#: writes every pixel: colour = ((x + 4 frame) xor y) * 0x030507. Made with GNU as from:
#: cli; segments 0; int 10h 4F01 (0x144 to 8000h), int 10h 4F02 (0x4144); EBP = [8028h], the frame
#: buffer; es gets 4 GiB by a turn through protected mode; timer 0 counts 47726; then for ever
#: sti; hlt; cli; inc ebx; edi = ebp; 768 rows of 1024 times: lea eax,[ecx+4*ebx]; xor eax,edx;
#: imul eax,0x030507; stosd.
SECTOR = bytes.fromhex(
    "fa31c08ed88ec08ed0bc007cb8014fb94401bf0080cd10b8024fbb4441cd10fa668b2e28800f0116"
    "8f7c0f20c00c010f22c0bb08008ec324fe0f22c031c08ec0b036e643b06ee640b0bae6406631dbfb"
    "f4fa66436689ef66ba0003000066b90004000067668d04996631d06669c0070503006766ab664975"
    "ea664a75e0ebd00000000000000000ffff00000092cf000f007f7c0000"
)
HEAD = """
import labvirt as lv
guest = lv.Lab.attach({lab!r})["alpha"].domains["draws"]
screen = lv.ui.screen(guest, height=768, scale=False)
screen
"""
#: Counts the pictures of any noVNC of the page.
SETUP = """() => {
  const el = document.querySelector('[data-lv=ready]');
  const display = Object.getPrototypeOf(el.lvView.rfb._display);
  const {flip} = display;
  globalThis.pictures = 0;
  display.flip = function (...all) {
    pictures += 1;
    return flip.apply(this, all);
  };
  globalThis.RFB = el.lvView.rfb.constructor;
  globalThis.place = document.createElement('div');
  place.style = 'width: 1024px; height: 768px';
  el.after(place);
  el.lvView.shut();
}"""
#: Connects, and returns seconds to the first picture and seconds for each of the next.
RUN = """async ([port, seconds]) => {
  const view = document.querySelector('[data-lv=ready]').lvView;
  const wait = (ms) => new Promise((go) => setTimeout(go, ms));
  await wait(300);
  const began = performance.now();
  pictures = 0;
  let rfb = null;
  if (port) rfb = new RFB(place, `ws://127.0.0.1:${port}/`, {shared: true});
  else view.open();
  while (!pictures) await wait(2);
  const first = (performance.now() - began) / 1000;
  await wait(1000);
  const from = performance.now();
  pictures = 0;
  await wait(seconds * 1000);
  const each = (performance.now() - from) / 1000 / pictures;
  const {width, height} = (rfb ?? view.rfb)._canvas;
  if (rfb) rfb.disconnect();
  else view.shut();
  if (width !== 1024 || height !== 768) throw new Error(`${width}x${height}`);
  return [first, each];
}"""


@functools.cache
def measured(rounds: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return seconds to the first picture and of one picture, by way."""
    from playwright.sync_api import sync_playwright

    from tests.ui.conftest import CHROMIUM, Lab, Server

    folder = Path(tempfile.mkdtemp(prefix="labvirt-bench-"))
    name = f"bench-{uuid.uuid4().hex[:6]}"
    server = Server(folder)
    try:
        with (
            lv.Lab.start(name, hosts=1, backend="session", ephemeral=True) as lab,
            sync_playwright() as playwright,
        ):
            port = screen_place(drawing(lab["alpha"])).port
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            page = Lab(browser, server, folder, "bench")
            found = all_rounds(page, name, port, rounds)
            browser.close()
            return found
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def drawing(host: Any) -> Any:
    """Start the guest that draws."""
    image = Path(host.pools["default"].info().path) / "draws.img"
    image.write_bytes(SECTOR.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    image.chmod(0o666)  # root's session daemons run as an ordinary user
    disk = lv.DiskSpec(path=str(image), format="raw", bus="ide")
    spec = lv.DomainSpec(
        name="draws", memory="32 MiB", interfaces=(), agent=False, rng=False, disks=(disk,),
        graphics=lv.GraphicsSpec(kind="vnc", listen="127.0.0.1"),
    )  # fmt: skip
    return host.plan(spec).apply()


def all_rounds(
    page: Any, name: str, port: int, rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    relay = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("relay.py")), str(port)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    first: dict[str, list[float]] = {}
    each: dict[str, list[float]] = {}
    try:
        assert relay.stdout is not None
        there = int(relay.stdout.readline())
        book = page.open("screen-bench", HEAD.format(lab=name))
        book.wait("() => document.querySelector('[data-lv][data-state=connected]')")
        page.page.evaluate(SETUP)
        for number in range(min(rounds, MOST) + 1):
            for way, at in ((PEER, there), (OURS, 0)):
                took = page.page.evaluate(RUN, [at, SECONDS])
                if number:
                    first.setdefault(way, []).append(took[0])
                    each.setdefault(way, []).append(took[1])
        book.ask("screen.close()")
    finally:
        relay.terminate()
        relay.wait(10)
    return first, each


def begun(rounds: int) -> Result:
    # Half a dozen answers of RFB's beginning, each of which a kernel's web socket delays by 40 ms.
    first = measured(rounds)[0]
    first[LIMIT] = [1.0] * len(first[OURS])
    return Result("screen 1024x768, to the first picture", first, (Goal(OURS, LIMIT, 1.0),))


def drawn(rounds: int) -> Result:
    goal = Goal(OURS, PEER, 1.5)
    return Result("screen 1024x768, each picture", measured(rounds)[1], (goal,))
