"""What explanations are asked in tests: about an alert of nothing but labels."""

from __future__ import annotations

from collections.abc import Mapping

from remediator.core.alerts import Alert, AlertStatus, Fingerprint
from remediator.core.classify import Classifier
from remediator.core.policies import Mode, Policy
from remediator.core.times import Stamp
from remediator.policy.explain import Explainer
from remediator.policy.explained import AlertExplanation
from remediator.policy.present import Present


def firing(labels: Mapping[str, str]) -> Alert:
    """An alert of which nothing else is known."""
    return Alert(
        fingerprint=Fingerprint(""),
        status=AlertStatus.FIRING,
        labels=labels,
        annotations={},
        starts_at=Stamp("1970-01-01T00:00:00.000000000Z"),
        ends_at=None,
    )


async def of_labels(
    policy: Policy, labels: Mapping[str, str], *, ceiling: Mode = Mode.AUTO, present: Present | None = None
) -> AlertExplanation:
    """What would become of an alert with these labels."""
    return await Explainer(Classifier(policy), ceiling=ceiling, present=present).alert(firing(labels))
