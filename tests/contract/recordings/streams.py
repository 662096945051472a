"""Exec over WebSocket, replayed: a recorded request, and what differs in the answer."""

from __future__ import annotations

import json
import re
from typing import Any

import aiohttp

from tests.contract.recordings.replay import TOKENS, Json, Replay, normal

_RUN = re.compile(r"[0-9a-f]{64}")
_END_OF_STDIN = b"\xff\x00"


def _headers(request: Json) -> dict[str, str]:
    token = TOKENS.get(request.get("user", "admin"))
    return {} if token is None else {"Authorization": f"Bearer {token}"}


async def executed(replay: Replay, recorded: Json, stdin: bytes = b"") -> str:
    """What the fake does otherwise than the recorded server, or nothing; ``stdin`` is sent at once."""
    request, wanted = recorded["request"], recorded["response"]
    url = replay.server.url + request["path"]
    if wanted["status"] != 101:
        found = await _refused(replay, request, url)
    else:
        found = await _streamed(replay, request, url, stdin)
    expected = {key: wanted.get(key) for key in found}
    return "; ".join(
        f"{key}: {found[key]!r} instead of {expected[key]!r}"
        for key in found
        if _shown(found[key]) != _shown(expected[key])
    )


def _shown(value: Any) -> Any:
    """Without the ids of single runs, which no two servers have in common."""
    return json.loads(_RUN.sub("<run>", json.dumps(normal(value))))


async def _refused(replay: Replay, request: Json, url: str) -> Json:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": ", ".join(request["protocols"]),
    }
    headers = _headers(request) | upgrade
    async with replay.session.get(url, params=request["query"], headers=headers) as answer:
        text = await answer.text()
        shown: Any = json.loads(text) if answer.content_type == "application/json" else text
        return {"status": answer.status, "body": shown}


async def _streamed(replay: Replay, request: Json, url: str, stdin: bytes) -> Json:
    socket = await replay.session.ws_connect(
        url,
        params=request["query"],
        protocols=request.get("protocols", []),
        headers=_headers(request),
        autoclose=True,
    )
    if stdin:
        await socket.send_bytes(b"\x00" + stdin)
        await socket.send_bytes(_END_OF_STDIN)
    frames = [
        {"channel": message.data[0], "data": message.data[1:].decode()}
        async for message in socket
        if message.type is aiohttp.WSMsgType.BINARY
    ]
    return {"protocol": socket.protocol, "frames": frames, "close_code": socket.close_code}
