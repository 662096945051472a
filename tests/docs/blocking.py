"""Every guard, made to block, and what it says then: what docs/safety.md shows is compared with this.

``python -m tests.docs.blocking`` prints it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from remediator.core.alertmanagers import Suppression
from remediator.core.breakers import Breaker
from remediator.core.changes import Change, EvictPod, ScaleWorkload
from remediator.core.cluster import Autoscaler, Budget, Pod, Workload
from remediator.core.errors import Refused
from remediator.core.incident import EffectId, Incident, IncidentId
from remediator.core.intervals import Interval
from remediator.core.ownership import KUSTOMIZE
from remediator.core.pauses import Pause, PauseScope, ScopeKind
from remediator.core.policies import (
    BudgetBound,
    FlappingBound,
    GuardPolicy,
    Mode,
    Policy,
    Service,
    Share,
    Slo,
    Step,
    StormBound,
    WorkloadRef,
)
from remediator.core.roots import Root
from remediator.core.standing import Lowering
from remediator.core.store import Lease, Limit, LimitUse
from remediator.core.storms import Opening, Openings
from remediator.core.times import DAY, HOUR, MINUTE, Instant, Millis
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict
from remediator.guards import GUARDS, ask_guard
from tests.core.builders import NOW, WEB, policy
from tests.core.test_actions import workload
from tests.core.test_decide import opened

ADA = Pause(
    scope=PauseScope(kind=ScopeKind.SERVICE, name="web"), reason="deploying", by="ada", since=NOW,
    until=Instant(NOW + HOUR),
)  # fmt: skip
OTHERS = tuple(WorkloadRef(kind="deployment", namespace="shop", name=name) for name in ("cart", "mail"))
ROOT = Root(incident=IncidentId("2026-01-05-0800-postgres"), about="postgres", severity="SEV-1")
ALWAYS = (Interval(),)


@dataclass(kw_only=True)
class Facts:
    """``core.verdicts.GuardPorts``: a world in which nobody objects, but for what is said otherwise."""

    pauses: tuple[Pause, ...] = ()
    clock: str | None = None
    fire: int = 1
    kept_quiet: Suppression | None = None
    roots: Sequence[Root] = ()
    seen: Workload = field(default_factory=lambda: workload(WEB))
    dead: bool = False
    planned: Sequence[Change] = (ScaleWorkload(target=WEB, uid="w", seen=2, replicas=3),)
    there: Sequence[Pod] = ()
    over: Sequence[Budget] = ()
    holder: str = ""
    used: int = 0
    began: Sequence[str] = ()
    tripped: Breaker | None = None
    bad: float = 0.0
    refusal: str = ""

    async def paused(self, scopes: Sequence[PauseScope]) -> tuple[Pause, ...]:
        return self.pauses

    def clock_trouble(self) -> str | None:
        return self.clock

    async def now(self) -> Instant:
        return NOW

    async def firing(self) -> int:
        return self.fire

    async def suppression(self) -> Suppression | None:
        return self.kept_quiet

    async def open_about(self, names: Sequence[str]) -> Sequence[Root]:
        return self.roots

    async def astray(self) -> str:
        return ""

    async def workload(self, target: WorkloadRef) -> Workload:
        return self.seen

    async def workloads(self, refs: Sequence[WorkloadRef]) -> Sequence[Workload]:
        return [workload(ref, ready=0 if self.dead else 2) for ref in refs]

    async def nodes(self) -> Sequence[Workload]:
        return ()

    async def plan(self) -> Sequence[Change]:
        return self.planned

    async def pods(self) -> Sequence[Pod]:
        return self.there

    async def budgets(self) -> Sequence[Budget]:
        return self.over

    async def autoscalers(self) -> Sequence[Autoscaler]:
        return ()

    async def lease(self, target: str) -> Lease | str:
        return self.holder or Lease(target=target, owner="us", epoch=7)

    async def use_limits(self, limits: Sequence[Limit], member: str) -> list[LimitUse]:
        return [
            LimitUse(
                limit=limit,
                used=self.used if limit.name.startswith("rate/target") else 0,
                free_at=Instant(NOW + 9 * MINUTE),
            )
            for limit in limits
        ]

    async def openings(self, span: Millis) -> Openings:
        items = (Opening(member=f"{name}#0", at=NOW) for name in self.began)
        return Openings(at=NOW, items=tuple(items))

    async def breaker(self, runbook: str) -> Breaker | None:
        return self.tripped

    async def query(self, promql: str) -> Sequence[tuple[Mapping[str, str], float]]:
        return (({}, self.bad),)

    async def dry_run(self) -> Sequence[str]:
        if self.refusal:
            raise Refused(self.refusal)
        return [str(change) for change in self.planned]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a guard is asked, and what it sees."""

    facts: Facts = field(default_factory=Facts)
    policy: Policy = field(default_factory=policy)
    incident: Incident = field(default_factory=lambda: opened().now)
    during: tuple[str, ...] = ()
    lowered: Lowering | None = None

    async def ask(self, guard: str) -> Verdict:
        """What that guard says."""
        attempt = self.incident.active
        assert attempt is not None
        request = ChangeRequest(
            incident=self.incident,
            attempt=replace(attempt, runbook=replace(attempt.runbook, during=self.during)),
            step=Step(action="scale"),
            effect=EffectId("e"),
            at=NOW,
            policy=self.policy,
            ceiling=Mode.AUTO,
            lowered=self.lowered,
        )
        [meant] = [each for each in GUARDS if each.name == guard]
        return await ask_guard(meant, request, cast(GuardPorts, self.facts))


def guarded(of: Policy | None = None, **guards: object) -> Policy:
    """The policy of the builders under other guards."""
    base = of if of is not None else policy()
    made = replace(GuardPolicy(namespaces=("shop",)), **guards)  # type: ignore[arg-type]  # by name
    return replace(base, guards=made)


def _with_objective() -> Policy:
    slo = Slo(objective=99.9, window=Millis(30 * DAY), errors="errors")
    of = guarded(error_budget=BudgetBound(below=10, then=Mode.SUGGEST))
    return replace(of, services={"web": replace(of.services["web"], slo=slo)})


def _with_others() -> Policy:
    of = guarded()
    others = {ref.name: Service(name=ref.name, workload=ref, namespace="shop") for ref in OTHERS}
    return replace(of, services={**of.services, **others})


def _depending() -> Policy:
    of = policy()
    below = Service(name="postgres", namespace="shop")
    web = replace(of.services["web"], depends_on=("postgres",))
    return replace(of, services={"web": web, "postgres": below})


FIVE = Millis(5 * MINUTE)
EVICT = EvictPod(target=WEB, uid="w", pod="web-1", pod_uid="p")
POD = Pod(name="web-1", phase="Running", ready=True, restarts=0, uid="p")
SCENES: Mapping[str, Scene] = {
    "kill_switch": Scene(facts=Facts(pauses=(ADA,))),
    "clock": Scene(facts=Facts(clock="the store's clock jumped by 1h; no changes for 2m after that")),
    "mode": Scene(lowered=Lowering(rule="service-down", why="3 attempts in a row failed", at=NOW)),
    "still_firing": Scene(facts=Facts(fire=0)),
    "suppressed": Scene(facts=Facts(kept_quiet=Suppression(silenced=("silenced by jane",), quiet=1))),
    "dependency": Scene(facts=Facts(roots=(ROOT,)), policy=_depending()),
    "supported": Scene(policy=guarded(lacks=("moonlight",))),
    "target": Scene(policy=guarded(namespaces=("bank",))),
    "freeze": Scene(policy=replace(guarded(freeze=("quarter-end",)), time_intervals={"quarter-end": ALWAYS})),
    "window": Scene(policy=replace(policy(), time_intervals={"nights": ()}), during=("nights",)),
    "error_budget": Scene(facts=Facts(bad=0.00095), policy=_with_objective()),
    "storm": Scene(
        facts=Facts(began=[f"i{number}" for number in range(10)]),
        policy=guarded(storm=StormBound(incidents=10, within=FIVE, stop_for=FIVE)),
    ),
    "flapping": Scene(
        incident=opened().now.evolve(reopenings=(NOW, NOW, NOW)),
        policy=guarded(flapping=FlappingBound(reopened=3, within=HOUR)),
    ),
    "population": Scene(
        facts=Facts(planned=(EVICT,), there=(POD,)),
        policy=guarded(max_unavailable=Share(value=40, percent=True)),
    ),
    "observer": Scene(facts=Facts(dead=True), policy=_with_others()),
    "lease": Scene(facts=Facts(holder="replica-2")),
    "limits": Scene(facts=Facts(used=1)),
    "breaker": Scene(facts=Facts(tripped=Breaker(runbook="restart", opened_at=NOW, failures=3, within=HOUR))),
    "owner": Scene(
        facts=Facts(
            seen=workload(WEB, labels={f"{KUSTOMIZE}/name": "apps", f"{KUSTOMIZE}/namespace": "flux"})
        )
    ),
    "disruption_budget": Scene(
        facts=Facts(
            planned=(EVICT,), there=(POD,), over=(Budget(name="web", allowed=0, healthy=2, wanted=2),)
        )
    ),
    "dry_run": Scene(facts=Facts(refusal="remediator may not patch deployments.apps in namespace shop")),
}


async def said() -> dict[str, Verdict]:
    """What every guard says in its scene."""
    return {guard.name: await SCENES[guard.name].ask(guard.name) for guard in GUARDS}


if __name__ == "__main__":
    for name, verdict in asyncio.run(said()).items():
        sys.stdout.write(f"{name}: {'ALLOWS ' if verdict.allowed else ''}{verdict.text}\n")
