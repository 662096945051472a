"""The ACL rule of docs/redis.md: enough (the contract suite runs under it), and nothing too much."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import remediator.adapters.redis
from remediator.adapters.redis.permissions import ALWAYS, EXAMINING, SELECTING, WAITING, rule
from remediator.adapters.redis.store import RedisStore
from remediator.core.errors import StoreUnavailable
from tests.contract.stores import Servers, admit, arrival, fresh_prefix
from tests.secured import add_user, revoke
from tests.servers import KINDS

SOURCES = Path(remediator.adapters.redis.__file__).parent
DOCS = Path(__file__).parents[2] / "docs" / "redis.md"
CONTAINERS = ("client", "command", "config", "xgroup")
"""Commands that are granted by subcommand."""
HANDSHAKE = {"client|setname", SELECTING}
"""What the client library sends by itself, beside AUTH, which needs no grant."""


def sent_by_scripts() -> Iterator[str]:
    for source in SOURCES.glob("scripts/*.lua"):
        for first in re.findall(r"redis\.p?call\(([^,)]*)", source.read_text()):
            yield from (name.lower() for name in re.findall(r"'([A-Z]+)'", first))


def sent_from_python() -> Iterator[str]:
    """Tuples that begin with a name in capitals; but for the embedded server's own, and codes of errors."""
    for source in SOURCES.glob("*.py"):
        if source.name in ("embedded.py", "faults.py"):
            continue
        for node in ast.walk(ast.parse(source.read_text())):
            words = node.elts[:2] if isinstance(node, ast.Tuple) else []
            names = [each.value for each in words if isinstance(each, ast.Constant)]
            first = str(names[0]) if names else ""
            if not re.fullmatch(r"[A-Z]{3,}", first) or first == "BLOCK":  # an option of XREADGROUP
                continue
            name = first.lower()
            yield f"{name}|{str(names[1]).lower()}" if name in CONTAINERS else name


def test_nothing_is_granted_that_is_not_used() -> None:
    """Least privileges, the scripts' commands included; and nothing is used that is not granted."""
    used = {*sent_by_scripts(), *sent_from_python(), *HANDSHAKE}
    assert used == {*ALWAYS, *EXAMINING, *WAITING, SELECTING}


def test_the_documentation_has_the_rule() -> None:
    """Word by word, as an operator copies it."""
    text = " ".join(DOCS.read_text().split())
    assert rule("remediator") in text
    for name in (*WAITING, SELECTING):
        assert f"`+{name}`" in text


@pytest.mark.parametrize("kind", KINDS)
async def test_every_grant_that_is_missing_is_named_before_the_first_alert(
    kind: str, servers: Servers
) -> None:
    """Not ready, naming the one that was taken away; admitting agrees."""
    server, prefix = servers.get(kind), fresh_prefix()
    for command in (*ALWAYS, *EXAMINING):
        add_user(server, prefix, prefix, password="pw")
        revoke(server, prefix, f"-{command.split('|')[0] if kind == 'redis-6.2' else command}")
        store = await RedisStore.connect(f"redis://{prefix}:pw@127.0.0.1:{server.port}", prefix=prefix)
        trouble = await store.trouble()
        if (command, kind) != ("evalsha", "redis-6.2"):  # no script can try it there; the first call says it
            assert f"+{command} " in f"{trouble} ".replace(",", " "), (command, trouble)
        if command != "ping":
            with pytest.raises(StoreUnavailable, match=re.escape(f"+{command}")):
                await admit(store, arrival("aa"))
        await store.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_keys_of_others_are_out_of_reach(kind: str, servers: Servers) -> None:
    """Not ready, naming what to grant, where the rule was written for another prefix."""
    server, prefix = servers.get(kind), fresh_prefix()
    add_user(server, prefix, "another", password="pw")
    store = await RedisStore.connect(f"redis://{prefix}:pw@127.0.0.1:{server.port}", prefix=prefix)
    assert "all keys of REDIS_PREFIX" in str(await store.trouble())
    with pytest.raises(StoreUnavailable, match="all keys of REDIS_PREFIX"):
        await admit(store, arrival("aa"))
    await store.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_database_of_the_url_needs_a_grant(kind: str, servers: Servers) -> None:
    """Without ``select`` it is said; with it, the other database is the one that is used."""
    server, prefix = servers.get(kind), fresh_prefix()
    add_user(server, prefix, prefix, password="pw")
    url = f"redis://{prefix}:pw@127.0.0.1:{server.port}/3"
    store = await RedisStore.connect(url, prefix=prefix)
    assert "+select" in str(await store.trouble())
    revoke(server, prefix, "+select")
    await admit(store, arrival("aa"))
    await store.close()
    with server.client() as client:
        assert client.keys(f"{{{prefix}}}:*") == []
        client.select(3)
        assert client.keys(f"{{{prefix}}}:*")
