"""Looks for isolations that nobody will end: their time is long over, and no incident knows of them any more.

An isolation ends by a timer of its incident. Where that was lost with the store, the workload still says that
it is isolated. It is not brought back: whose it was is not known. The operator is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from remediator.core.cluster import ClusterReader
from remediator.core.errors import RemediatorError, StoreUnavailable
from remediator.core.incident import EffectId
from remediator.core.isolating import ISOLATE
from remediator.core.isolation import isolated_until, remembered
from remediator.core.journal import Notice
from remediator.core.owners import changeable_from
from remediator.core.policies import Policy, Service, WorkloadRef
from remediator.core.ports import Observer, Runtime
from remediator.core.store import IncidentFilter, IncidentStore, NoticeStore
from remediator.core.times import MINUTE, Instant, format_instant
from remediator.guards.target import static_objection
from remediator.policy.reach import reached

EVERY = 600.0
"""Seconds between two looks."""
OVERDUE = 15 * MINUTE
"""How long after its end an isolation counts as forgotten; its incident ends it before."""
MOST = 200
"""Workloads that are looked at each time, and incidents of a service that may know of one."""


class ForgottenIsolations:
    """Asks the cluster about each workload that a rule may isolate."""

    def __init__(
        self,
        *,
        reader: ClusterReader,
        policy: Callable[[], Policy],
        incidents: IncidentStore,
        notices: NoticeStore,
        runtime: Runtime,
        observer: Observer,
    ) -> None:
        self._reader, self._policy, self._incidents = reader, policy, incidents
        self._notices, self._runtime, self._observer = notices, runtime, observer
        self._known: tuple[Policy, tuple[Service, ...]] | None = None

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self._runtime.sleep(EVERY * (0.5 + self._runtime.random()))
            try:
                await self.look()
            except RemediatorError as error:
                self._observer.trouble("isolations", error)

    async def look(self) -> None:
        """Once. What cannot be read now is read the next time. Raises StoreUnavailable."""
        policy = self._policy()
        if self._known is None or self._known[0] is not policy:
            self._known = policy, await self._runtime.in_thread(lambda: isolatable(policy))
        at = (await self._incidents.load(None, ())).at
        for service in self._known[1]:
            workload = service.workload
            until = await self._look_at(workload, at) if workload is not None else ""
            if workload is not None and until and not await self._is_known(service):
                await self._notices.notify(notices_of(workload, until, policy.operator))

    async def _look_at(self, workload: WorkloadRef, at: Instant) -> str:
        """Until when it was to be isolated; empty where it is not, or not long enough."""
        try:
            seen = await self._reader.workload(workload)
        except StoreUnavailable:
            raise
        except RemediatorError:
            return ""
        until = isolated_until(seen.annotations)
        if seen.desired or remembered(seen.annotations) is None or until is None or at - until < OVERDUE:
            return ""
        return format_instant(until)

    async def _is_known(self, service: Service) -> bool:
        """Whether an incident still has it to end: then it tells of it, too."""
        path = service.workload.path if service.workload is not None else ""
        # one whose alerts named what the workload owns may be of another service, or of none
        for wanted in (IncidentFilter(service=service.name), IncidentFilter()):
            page = await self._incidents.incidents(wanted, MOST, None)
            if any(isolation.target == path for one in page.items for isolation in one.isolations):
                return True
        return False


def isolatable(policy: Policy) -> tuple[Service, ...]:
    """The services whose workload a rule may isolate, where the guards allow to touch it at all.

    A rule with a target may isolate whatever owns what its alerts name, in a catalog or in none; what is in
    none is not looked for.
    """
    books = {
        name for name, book in policy.runbooks.items() if any(step.action == ISOLATE for step in book.steps)
    }
    if not books:
        return ()
    isolating = [(rule, services) for rule, services in reached(policy) if books & {*rule.runbooks}]
    names = {name for rule, services in isolating if rule.target is None for name in services}
    targets = [rule.target for rule, _ in isolating if rule.target is not None and not rule.lacks]
    kinds = {kind for target in targets for kind in changeable_from(target.kind)}
    if kinds:
        known = policy.services.values()
        names |= {one.name for one in known if one.workload is not None and one.workload.kind in kinds}
    services = (policy.services[name] for name in sorted(names))
    allowed = [one for one in services if not static_objection(one.name, one.workload, policy.guards)]
    return tuple(allowed[:MOST])


def notices_of(workload: WorkloadRef, until: str, operator: Sequence[str]) -> list[Notice]:
    """That it stays isolated, to each channel."""
    details = {
        "workload": workload.path,
        "isolated until": until,
        "what to do": f"kubectl -n {workload.namespace} scale {workload} --replicas=… to what its annotation "
        "remediator/isolated-replicas says",
    }
    return [
        Notice(
            id=EffectId(f"isolated/{workload.path}/{until}/{channel}"),
            channel=channel,
            summary=f"remediator: {workload} in {workload.namespace} stays isolated, no incident knows of it",
            details=details,
        )
        for channel in operator
    ]
