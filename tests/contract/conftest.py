"""One server of each kind for all contract tests, and a fresh store on each for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from remediator.core.store import Store
from tests.contract.stores import STORES, Servers, open_store


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Real servers, started when a test first needs them."""
    running = Servers(tmp_path_factory.mktemp("servers"))
    yield running
    running.stop()


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, servers: Servers) -> AsyncIterator[Store]:
    """An empty store: in memory, on Redis 6.2, on Redis 7.0, on Valkey 9, over TLS with an ACL."""
    async with open_store(request.param, servers) as opened:
        yield opened
