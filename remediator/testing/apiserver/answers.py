"""Answers in JSON."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

NO_CACHE = {"Cache-Control": "no-cache, private"}


def json_response(body: Any, *, status: int = 200, warnings: list[str] | None = None) -> web.Response:
    """An answer in JSON."""
    text = json.dumps(body, separators=(",", ":"))
    response = web.Response(status=status, text=text, content_type="application/json", headers=NO_CACHE)
    response.charset = None
    for warning in warnings or ():
        response.headers.add("Warning", warning)
    return response
