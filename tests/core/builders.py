"""Small values for tests of the core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remediator.core.alerts import Alert, AlertStatus, Fingerprint
from remediator.core.changes import Change, ClusterChange, CreateSilence, EndSilence, RunProgram, SendRequest
from remediator.core.classify import describe_match
from remediator.core.journal import Fired
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.policies import (
    ChannelSpec,
    Check,
    Escalation,
    GuardPolicy,
    Level,
    Mode,
    PageNow,
    PagePolicy,
    PageUnlessVerified,
    Policy,
    Rule,
    Runbook,
    Service,
    Severity,
    Step,
    WorkloadRef,
)
from remediator.core.times import MINUTE, SECOND, Instant, Millis, Stamp

NOW = Instant(1_795_400_000_000)
WEB = WorkloadRef(kind="deployment", namespace="shop", name="web")


def stamp(second: int) -> Stamp:
    """The ``second``-th second of a certain minute."""
    return Stamp(f"2026-11-23T04:00:{second:02d}.000000000Z")


def alert(fingerprint: str = "aa", status: AlertStatus = AlertStatus.FIRING, **labels: str) -> Alert:
    """An alert of service web, unless the labels say otherwise."""
    return Alert(
        fingerprint=Fingerprint(fingerprint),
        status=status,
        labels={"alertname": "ServiceDown", "service": "web", **labels},
        annotations={},
        starts_at=stamp(1),
        ends_at=None,
    )


def policy(
    page: PagePolicy | None = None,
    *,
    runbooks: tuple[str, ...] = ("restart",),
    hold: int = 0,
    mode: Mode = Mode.AUTO,
    severity: str = "SEV-2",
) -> Policy:
    """One rule for ServiceDown, one runbook, two levels of people and an operator."""
    asked = page if page is not None else PageUnlessVerified(within=Millis(15 * MINUTE))
    runbook = Runbook(
        name="restart",
        steps=(Step(action="restart"),),
        verify=(Check(check="ready", stable=Millis(10 * SECOND), within=Millis(2 * MINUTE)),),
    )
    rule = Rule(
        name="service-down",
        matchers=(Matcher(name="alertname", op=MatchOp.EQUAL, value="ServiceDown"),),
        severity=severity,
        hold=Millis(hold),
        mode=mode,
        runbooks=runbooks,
    )
    worse = replace(
        rule,
        name="data-loss",
        severity="SEV-1",
        runbooks=(),
        matchers=(Matcher(name="alertname", op=MatchOp.EQUAL, value="DataLoss"),),
    )
    levels = (
        Level(level=1, channels=("oncall",), acknowledge_within=Millis(15 * MINUTE)),
        Level(level=2, channels=("manager",), acknowledge_within=Millis(5 * MINUTE)),
    )
    return Policy(
        severities={
            "SEV-1": Severity(name="SEV-1", page=PageNow(), escalation="all"),
            severity: Severity(name=severity, page=asked, escalation="all"),
        },
        services={"web": Service(name="web", workload=WEB, namespace="shop")},
        rules=(rule, worse),
        runbooks={"restart": runbook, "again": replace(runbook, name="again")},
        guards=GuardPolicy(namespaces=("shop",)),
        escalations={"all": Escalation(name="all", levels=levels)},
        channels={n: ChannelSpec(name=n, kind="pagerduty") for n in ("oncall", "manager", "operator")},
        operator=("operator",),
        digest="test",
    )


def fired(of: Policy, fingerprint: str = "aa", **labels: str) -> Fired:
    """The event of an alert that fires, classified by ``of``."""
    from remediator.core.classify import Classifier

    one = replace(alert(fingerprint), labels={**alert().labels, **labels})
    match = Classifier(of).match(one.labels)
    assert match is not None
    return Fired(alert=one, match=describe_match(match.rule, one.labels))


def of_cluster(changes: Sequence[Change]) -> tuple[ClusterChange, ...]:
    """Planned changes, all of them of objects of the cluster: what its executor makes."""
    elsewhere = RunProgram | SendRequest | CreateSilence | EndSilence
    return tuple(change for change in changes if not isinstance(change, elsewhere))
