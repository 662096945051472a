"""``python -m benchmarks.reference bare|parse PORT``: what the receiver is compared with, in one process.

``bare`` is aiohttp as it comes: it reads the body and answers. ``parse`` is our listener with a handler that
only parses and validates: no credentials, no metrics, no store.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import uvloop
from aiohttp import web

from benchmarks.load import PATH
from remediator.http.payload import parse_notification
from remediator.http.server import Listener, read_body
from remediator.http.webhook import MAX_BODY_BYTES

ANSWER = b'{"new": 1}'


async def _bare(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=ANSWER, content_type="application/json")


async def _parse(request: web.BaseRequest) -> web.Response:
    parse_notification(await read_body(request, limit=MAX_BODY_BYTES, within=15.0))
    return web.Response(body=ANSWER, content_type="application/json")


async def _serve(kind: str, port: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if kind == "bare":
        app = web.Application()
        app.router.add_post(PATH, _bare)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await stop.wait()
        await runner.cleanup()
        return
    listener = Listener(_dispatch, host="127.0.0.1", port=port)
    await listener.start()
    await stop.wait()
    await listener.stop()


async def _dispatch(request: web.BaseRequest) -> web.Response:
    return await _parse(request) if request.path == PATH else web.Response(status=404)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as serving:
        serving.run(_serve(sys.argv[1], int(sys.argv[2])))
