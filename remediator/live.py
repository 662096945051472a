"""What ``check --live`` asks of the world: the composition root of the lints that need a server.

Whatever can say more of policies than their files do (permissions of the service account, for instance) is
asked here, and its notes join those of Prometheus.
"""

from __future__ import annotations

from remediator.adapters.prometheus import Prometheus
from remediator.policy.lint_live import ask_prometheus
from remediator.policy.lint_view import Note, View


async def ask_world(view: View, *, prometheus_url: str, prometheus_token: str | None) -> tuple[Note, ...]:
    """Everything the servers have to say. Raises SettingsError when the address or the token is none."""
    async with Prometheus.connected(prometheus_url, token=prometheus_token) as prometheus:
        return await ask_prometheus(view, prometheus)
