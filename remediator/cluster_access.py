"""Asks a cluster what we may do there: the composition for commands that need nothing else of the daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from remediator.adapters import kubernetes
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.access import AccessReviewer
from remediator.core.errors import SettingsError
from remediator.settings import Settings, runs_in_cluster


@asynccontextmanager
async def access_reviewer(settings: Settings) -> AsyncIterator[AccessReviewer]:
    """Who answers for the cluster that the daemon would act on. Raises SettingsError when there is none."""
    if settings.kubeconfig is None and not runs_in_cluster():
        raise SettingsError(
            "no cluster is configured; name the kubeconfig of the service account with --kubeconfig or "
            "REMEDIATOR_KUBECONFIG, or run this inside the cluster"
        )
    runtime = AsyncioRuntime()
    path = str(settings.kubeconfig) if settings.kubeconfig is not None else None
    cluster = await kubernetes.connect(path, runtime=runtime)
    try:
        yield cluster.access
    finally:
        await cluster.close()
        runtime.close()
