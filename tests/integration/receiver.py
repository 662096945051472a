"""What the receiver's tests share: a recording receiver behind a real listener, and raw sockets."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from remediator.core.alerts import Disposition, Notification
from remediator.http.auth import HostRule, WebhookAuth, host_rule
from remediator.http.server import Limits, Listener
from remediator.http.webhook import PATH, Webhook, WebhookLimits, serve_paths

RECORDINGS = Path(__file__).parent.parent / "recordings" / "alertmanager"
FIRING: dict[str, Any] = json.loads((RECORDINGS / "am033_firing.json").read_bytes())
ALERT: dict[str, Any] = FIRING["alerts"][0]
TOKEN = "correct-horse"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class RecordingReceiver:
    """Keeps what it is given; raises ``error`` or hangs on request."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        self.error: Exception | None = None
        self.hangs = False
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()

    async def receive(self, notification: Notification) -> Mapping[Disposition, int]:
        self.entered.set()
        if self.hangs:
            await self.go_on.wait()
        if self.error is not None:
            raise self.error
        self.notifications.append(notification)
        return {
            Disposition.NEW: len(notification.alerts),
            Disposition.DEAD_LETTER: len(notification.rejected),
        }


class Answer(NamedTuple):
    """An HTTP answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


class Served:
    """A running listener and what it observed."""

    def __init__(self, listener: Listener, receiver: RecordingReceiver, codes: Counter[int]) -> None:
        self.listener = listener
        self.receiver = receiver
        self.codes = codes

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.listener.address)

    async def send(self, data: bytes) -> Answer:
        """Send raw bytes on a connection of their own, and read one answer."""
        reader, writer = await self.connect()
        try:
            writer.write(data)
            return await read_answer(reader)
        finally:
            writer.close()

    async def post(
        self,
        body: object,
        headers: Mapping[str, str] | None = None,
        *,
        path: str = PATH,
        method: str = "POST",
    ) -> Answer:
        """Post ``body`` (bytes as they are, anything else as JSON) with the headers of a good request."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.send(request(data, headers, path=path, method=method))


def request(
    body: bytes, headers: Mapping[str, str] | None = None, *, path: str = PATH, method: str = "POST"
) -> bytes:
    """A request as bytes. A header whose value is empty is left out."""
    usual = {
        "Host": "localhost",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **BEARER,
    }
    lines = [f"{name}: {value}" for name, value in {**usual, **(headers or {})}.items() if value]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + body


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """The next answer; TimeoutError if there is none, so that a silent server fails a test and hangs none."""
    async with asyncio.timeout(20):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(status.split()[1]), headers, body)


@asynccontextmanager
async def serve(
    *,
    token: str | None = TOKEN,
    hosts: HostRule | None = None,
    webhook_limits: WebhookLimits | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[Served]:
    """A listener on a free port of this machine."""
    receiver, codes = RecordingReceiver(), Counter[int]()

    def observe(code: int, seconds: float) -> None:
        assert seconds >= 0
        codes[code] += 1

    webhook = Webhook(
        receiver,
        auth=WebhookAuth(token),
        hosts=hosts or host_rule("127.0.0.1"),
        observe=observe,
        limits=webhook_limits,
    )
    listener = Listener(
        serve_paths(webhook),
        host="127.0.0.1",
        port=0,
        limits=limits or Limits(stop=0.5),
        observe=observe,
    )
    await listener.start()
    try:
        yield Served(listener, receiver, codes)
    finally:
        receiver.go_on.set()
        await listener.stop()
