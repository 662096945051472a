"""Servers that a test may break: one each, never shared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import KINDS, RedisServer, redis_server


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    """A server of each kind in turn, for this test alone."""
    settings = {"lua-time-limit": "100"}
    if request.param != "redis-6.2":
        settings["enable-protected-configs"] = "local"
    with redis_server(request.param, tmp_path / "server", settings) as running:
        yield running
