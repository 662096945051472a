"""A server that answers with whatever bytes a test wants, and counts who came."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class RudeServer:
    """``answer``: what happens after a request's head was read. ``heads``: what was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.heads: list[str] = []
        self.address, self.port = "", 0
        self._over = asyncio.Event()

    @property
    def host(self) -> str:
        """``host:port`` of the server, its address written out."""
        return f"{self.address}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one answer."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line[15:])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                ),
                0,
            )
            body = await reader.readexactly(length)
            self.heads.append((head + body).decode())
            await self._answer(writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # whoever asked has gone: that is what these tests are about
        finally:
            writer.close()

    async def hang(self, writer: asyncio.StreamWriter) -> None:
        """Say nothing until the test is over."""
        await self._over.wait()

    def end(self) -> None:
        """The test is over."""
        self._over.set()


@asynccontextmanager
async def rude_server(
    answer: Answer | None = None,
    tls: ssl.SSLContext | None = None,
    *,
    at: tuple[str, int] = ("127.0.0.1", 0),
) -> AsyncIterator[RudeServer]:
    """One for the length of a block. Without an ``answer`` it hangs."""
    server = RudeServer(answer or (lambda writer: server.hang(writer)))
    listening = await asyncio.start_server(server.serve, *at, ssl=tls)
    server.address, server.port = listening.sockets[0].getsockname()[:2]
    try:
        yield server
    finally:
        server.end()
        listening.close()
        await listening.wait_closed()


def say(status: str, body: bytes = b"", *headers: str) -> Answer:
    """A whole answer at once."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    return answer


def drip(piece: bytes, head: bytes) -> Answer:
    """Pieces without end, as fast as they are taken."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()

    return answer
