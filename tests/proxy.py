"""A TCP proxy that misbehaves on purpose: slow, half open, or gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Forwards bytes to ``port`` on the loopback until told to misbehave."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.delay = 0.0
        """Seconds that every piece of an answer is held back."""
        self.half_open = False
        """Bytes are taken and never passed on, in either direction."""
        self.listening = 0
        """The port to connect to."""
        self.accepted = 0
        self._server: asyncio.Server | None = None
        self._flows: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.listening = self._server.sockets[0].getsockname()[1]

    def drop(self) -> None:
        """Cut every connection there is, with a reset."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        """Cut everything and listen no more."""
        if self._server is not None:
            self._server.close()
        self.drop()
        for flow in list(self._flows):
            flow.cancel()
        await asyncio.gather(*self._flows, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        for source, sink, held in ((reader, far_writer, False), (far_reader, writer, True)):
            flow = asyncio.get_running_loop().create_task(self._flow(source, sink, held=held))
            self._flows.add(flow)
            flow.add_done_callback(self._flows.discard)

    async def _flow(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, held: bool) -> None:
        with suppress(OSError):
            while piece := await source.read(65536):
                if held and self.delay:
                    await asyncio.sleep(self.delay)
                if not self.half_open:
                    sink.write(piece)
                    await sink.drain()
        sink.close()
        self._writers.discard(sink)


@asynccontextmanager
async def proxy(port: int) -> AsyncIterator[Proxy]:
    """A proxy for the length of a block."""
    running = Proxy(port)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()
