"""``python -m benchmarks.pods_server PORT``: an API server with one Deployment and its 5,000 pods.

It answers what the adapter asks when it lists pods, as a real one does: JSON without white space, pages with
a token for the next one, compressed when the body is large. ``pod.json`` is one recorded pod (v1.32), 5 kB of
JSON; name, UID and address differ from pod to pod.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

PODS = 5_000
NAMESPACE, NAME, UID = "podlab", "web", "6d3f8a6e-0000-4000-8000-000000000000"
COMPRESSED_FROM = 128 * 2**10
"""Bytes of a body from which API servers compress, at gzip's fastest level."""
_POD: dict[str, Any] = json.loads(Path(__file__).with_name("pod.json").read_bytes())


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _pod(number: int) -> bytes:
    meta = _POD["metadata"] | {"name": f"{NAME}-8b7488f87-{number:05x}", "uid": f"{UID[:-5]}{number:05x}"}
    status = _POD["status"] | {"podIP": f"10.{number >> 8}.{number & 255}.7"}
    return _compact({"metadata": meta, "spec": _POD["spec"], "status": status})


def _deployment() -> bytes:
    labels = {"app": NAME}
    spec = {
        "replicas": PODS,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}},
    }
    meta = {"name": NAME, "namespace": NAMESPACE, "uid": UID, "generation": 1}
    return _compact({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": meta, "spec": spec})


class Server:
    """What it serves."""

    def __init__(self) -> None:
        self._pods = [_pod(number) for number in range(PODS)]

    async def workload(self, _: web.Request) -> web.Response:
        """The Deployment."""
        return web.Response(body=_deployment(), content_type="application/json")

    async def pods(self, request: web.Request) -> web.Response:
        """A page of its pods."""
        limit = int(request.query.get("limit", "0")) or PODS
        start = int(base64.b64decode(request.query.get("continue", "MA==")))
        end = min(start + limit, PODS)
        meta: dict[str, object] = {"resourceVersion": "2457"}
        if end < PODS:
            meta["continue"] = base64.b64encode(str(end).encode()).decode()
        head = _compact({"kind": "PodList", "apiVersion": "v1", "metadata": meta})[:-1]
        body = head + b',"items":[' + b",".join(self._pods[start:end]) + b"]}"
        response = web.Response(body=body, content_type="application/json")
        if len(body) > COMPRESSED_FROM and "gzip" in request.headers.get("Accept-Encoding", ""):
            response = web.Response(body=gzip.compress(body, 1), content_type="application/json")
            response.headers["Content-Encoding"] = "gzip"
        return response


async def _serve(port: int) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server, application = Server(), web.Application()
    application.router.add_get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}", server.workload)
    application.router.add_get(f"/api/v1/namespaces/{NAMESPACE}/pods", server.pods)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as serving:
        serving.run(_serve(int(sys.argv[1])))
