"""Kubernetes: reading the cluster, and the one executor that changes it.

``connect`` is the way in. The library behind it is imported when it is called, and only the part that is
needed (``library``).
"""

from __future__ import annotations

from remediator.adapters.kubernetes.access import AccessReviews
from remediator.adapters.kubernetes.api import Answered, Api, Limits
from remediator.adapters.kubernetes.config import InCluster, from_kubeconfig, from_service_account
from remediator.adapters.kubernetes.executor import ClusterExecutor
from remediator.adapters.kubernetes.faults import Call
from remediator.adapters.kubernetes.programs import Programs
from remediator.adapters.kubernetes.reader import Reader
from remediator.core.access import AccessReviewer
from remediator.core.cluster import ClusterReader, Executor
from remediator.core.errors import RemediatorError, SettingsError
from remediator.core.ports import Runtime
from remediator.core.programs import ProgramRunner
from remediator.core.text import plain

__all__ = ["Api", "Call", "InCluster", "Kubernetes", "Limits", "connect"]


class Kubernetes:
    """One cluster, as the program knows it."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.reader: ClusterReader = Reader(api)
        self.executor: Executor = ClusterExecutor(api)
        self.programs: ProgramRunner = Programs(api)
        self.access: AccessReviewer = AccessReviews(api)

    async def ready(self) -> None:
        """Ask for the server's version, briefly. Raises Refused or Retryable when it cannot be had."""
        await self._version()

    async def describe(self) -> str:
        """Which cluster this is, for the start banner: its address and version, or why it does not answer."""
        try:
            return f"{self.api.host}, Kubernetes {await self._version()}"
        except RemediatorError as error:
            return f"{self.api.host}, which does not answer now ({error})"

    async def _version(self) -> str:
        call = Call(method="GET", path="/version", doing="ask for the API server's version", repeatable=True)
        answer = await self.api.call(call, self.api.deadline(self.api.limits.probe))
        return plain(str(answer.get("gitVersion", "of unknown version")), 40)

    async def close(self) -> None:
        """Give the connections back."""
        await self.api.close()


async def connect(
    kubeconfig: str | None,
    *,
    runtime: Runtime,
    in_cluster: bool | None = None,
    pod: InCluster | None = None,
    limits: Limits | None = None,
    answered: Answered | None = None,
) -> Kubernetes:
    """A cluster by its kubeconfig, or the one we run in (``in_cluster``; by default when no file is named).

    Reads the configuration and asks the cluster nothing: the daemon starts without it too. Raises
    SettingsError. ``pod`` says where the service account is, for tests. ``answered`` is told of every
    request.
    """
    if in_cluster is None:
        in_cluster = not kubeconfig
    if in_cluster:
        login = await from_service_account(pod or InCluster(), runtime)
    elif kubeconfig:
        login = await from_kubeconfig(kubeconfig, runtime)
    else:
        raise SettingsError("no cluster is configured; set REMEDIATOR_KUBECONFIG or run inside a cluster")
    heard = {} if answered is None else {"answered": answered}
    return Kubernetes(Api(login, runtime, limits or Limits(), **heard))
