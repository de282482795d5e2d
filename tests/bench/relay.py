"""What websockify does, for a screen of this machine: ``python relay.py PORT_OF_VNC`` prints its own.

A page's VNC client talks to it by a web socket, and it passes the bytes on to the display. No
notebook, no kernel: the shortest way from a browser to a screen.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

from tornado import httpserver, iostream, netutil, tcpclient, web, websocket


class Relay(websocket.WebSocketHandler):
    def initialize(self, port: int) -> None:
        self.port = port

    def check_origin(self, origin: str) -> bool:
        return True

    async def open(self) -> None:
        self.set_nodelay(value=True)
        self.vnc = await tcpclient.TCPClient().connect("127.0.0.1", self.port)
        self.reader = asyncio.create_task(self.read())

    async def read(self) -> None:
        with contextlib.suppress(iostream.StreamClosedError, websocket.WebSocketClosedError):
            while True:
                await self.write_message(await self.vnc.read_bytes(1 << 18, partial=True), True)
        self.close()

    async def on_message(self, message: bytes) -> None:
        await self.vnc.write(message)

    def on_close(self) -> None:
        self.vnc.close()


async def main() -> None:
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    app = web.Application([("/", Relay, {"port": int(sys.argv[1])})])
    httpserver.HTTPServer(app).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
