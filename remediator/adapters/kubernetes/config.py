"""Where the API server is and who we are to it: a kubeconfig file, or the pod's service account."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remediator.adapters.kubernetes.library import load
from remediator.core.errors import Retryable, SettingsError
from remediator.core.ports import Runtime

RENEW_EVERY = 60.0
"""Seconds after which the credentials are read again: service account tokens rotate within the hour."""
RENEW_WITHIN = 10.0
"""Seconds a credential plugin of a kubeconfig may take."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, kw_only=True, slots=True)
class InCluster:
    """What Kubernetes gives to a pod. ``environ``: where its two variables are read (None: the process's)."""

    directory: Path = SERVICE_ACCOUNT
    environ: Mapping[str, str] | None = None


class Login:
    """The library's configuration, and how its credentials are read again."""

    def __init__(self, configuration: Any, reload: Callable[[], Awaitable[None]], runtime: Runtime) -> None:
        self.configuration = configuration
        self._reload, self._runtime = reload, runtime
        self._read_at = runtime.monotonic()
        self._one = asyncio.Lock()

    @property
    def host(self) -> str:
        """The API server's URL, without a trailing slash."""
        return str(self.configuration.host).rstrip("/")

    async def authorization(self, within: float) -> str | None:
        """The Authorization header, read again when it is a minute old, in at most so many seconds.

        One that cannot be read again is used until the server refuses it.
        """
        if self._runtime.monotonic() - self._read_at >= RENEW_EVERY:
            with suppress(Retryable):
                await self.renew(self.current(), within)
        return self.current()

    async def renew(self, stale: str | None, within: float) -> bool:
        """Read the credentials again unless somebody just did; whether they differ from ``stale``.

        Raises Retryable when they cannot be read in so many seconds.
        """
        try:
            async with asyncio.timeout(min(RENEW_WITHIN, within)), self._one:
                if self.current() == stale:
                    self._read_at = self._runtime.monotonic()
                    await self._reload()
        except Exception as error:  # noqa: BLE001  # credential plugins raise anything at all
            # The library quotes the kubeconfig in its messages, tokens included: never pass them on.
            raise Retryable(
                f"the credentials for {self.host} could not be read again ({type(error).__name__})"
            ) from None
        return self.current() != stale

    def current(self) -> str | None:
        """The Authorization header as last read; None where there is none to send."""
        value = self.configuration.api_key.get("BearerToken")
        return " ".join(value.split()) if value else None  # token files end in a newline


async def from_kubeconfig(path: str, runtime: Runtime) -> Login:
    """Log in by a kubeconfig (or several, separated by ``:``). Raises SettingsError."""
    library = load()
    if absent := _absent(path):
        raise SettingsError(f"kubeconfig {absent} does not exist")
    configuration = library.configuration()
    try:
        merged = library.kubeconfig_merger(path).config
        loader = library.kubeconfig_loader(config_dict=merged, config_base_path=None)

        async def reload() -> None:
            await loader.load_and_set(configuration)

        async with asyncio.timeout(RENEW_WITHIN):
            await reload()
    except Exception as error:  # noqa: BLE001  # the library answers a bad file with a dozen kinds
        # Its messages quote the file, tokens included: never pass them on.
        raise SettingsError(
            f"kubeconfig {path} cannot be used ({type(error).__name__}): see that its current-context, "
            "that context's cluster (with a server) and user exist and that their files can be read"
        ) from None
    return Login(configuration, reload, runtime)


def _absent(path: str) -> str:
    """The first of the files that does not exist; empty when all do."""
    files = [part for part in path.split(":") if part]
    return next((one for one in files if not Path(one).expanduser().is_file()), "" if files else repr(path))


async def from_service_account(pod: InCluster, runtime: Runtime) -> Login:
    """Log in as the pod we run in. Raises SettingsError."""
    library = load()
    token, ca = pod.directory / "token", pod.directory / "ca.crt"
    environ = {} if pod.environ is None else {"environ": pod.environ}
    configuration = library.configuration()

    async def reload() -> None:
        loader = library.in_cluster_loader(str(token), str(ca), try_refresh_token=False, **environ)
        loader.load_and_set(configuration)

    try:
        await reload()
    except Exception as error:  # noqa: BLE001  # as above
        raise SettingsError(
            f"the pod's service account cannot be used ({type(error).__name__}): {token} and {ca} must exist "
            "and KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT be set; outside a cluster set "
            "REMEDIATOR_KUBECONFIG"
        ) from None
    return Login(configuration, reload, runtime)
