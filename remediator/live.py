"""What ``check --live`` asks of the world: the composition root of the lints that need a server.

Whatever can say more of policies than their files do is asked here, side by side: Prometheus, and the cluster
that the daemon would act on.
"""

from __future__ import annotations

import asyncio

from remediator.adapters.prometheus import Prometheus
from remediator.cluster_access import access_reviewer
from remediator.core.errors import RemediatorError, SettingsError
from remediator.policy.access_check import permission_findings
from remediator.policy.lint_live import ask_prometheus, cluster_unknown
from remediator.policy.lint_view import Note, View
from remediator.settings import Settings, runs_in_cluster


def knows_a_cluster(settings: Settings) -> bool:
    """Whether there is a cluster that the daemon would act on."""
    return settings.kubeconfig is not None or runs_in_cluster()


async def ask_world(view: View, settings: Settings) -> tuple[Note, ...]:
    """Everything that the configured servers say. Raises SettingsError when none is, or one wrongly."""
    asked = []
    if settings.prometheus_url is not None:
        asked.append(_ask_prometheus(view, settings))
    if knows_a_cluster(settings):
        asked.append(_ask_cluster(view, settings))
    if not asked:
        raise SettingsError(
            "--live asks Prometheus and the cluster, and neither is named; say --prometheus URL or "
            "--kubeconfig FILE, or set REMEDIATOR_PROMETHEUS_URL or REMEDIATOR_KUBECONFIG"
        )
    answers = await asyncio.gather(*asked)
    return tuple(note for notes in answers for note in notes)


async def _ask_prometheus(view: View, settings: Settings) -> tuple[Note, ...]:
    assert settings.prometheus_url is not None
    url, token = settings.prometheus_url.get_secret_value(), settings.secret("prometheus_token")
    async with Prometheus.connected(url, token=token) as prometheus:
        return await ask_prometheus(view, prometheus)


async def _ask_cluster(view: View, settings: Settings) -> tuple[Note, ...]:
    try:
        async with access_reviewer(settings) as reviewer:
            return await permission_findings(view.policy, reviewer, ceiling=settings.mode)
    except SettingsError:
        raise
    except RemediatorError as error:
        return (cluster_unknown(view, error),)
