"""Holds a history to the promises. Knows what is promised, nothing of how the program keeps it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from remediator.core.incident import Incident, Outcome, Status
from remediator.core.journal import PageKind
from remediator.core.pauses import PauseScope, ScopeKind
from remediator.core.policies import Mode, StillOpen, severity_rank
from remediator.core.store import DELIVERIES, Buried, Gauges
from remediator.testing.simulation.history import (
    LOOKING,
    Agreed,
    Answered,
    Changed,
    Claimed,
    Committed,
    Died,
    Froze,
    History,
    Intended,
    LimitsRefunded,
    LimitsTaken,
    PagerGot,
    Paused,
    Reloaded,
    Verified,
)
from remediator.testing.simulation.scenario import DEADLINE, Scenario

SLACK = 30.0
"""Seconds by which a page may be late although nobody died or froze meanwhile: lost answers, slow pagers."""
SUCCESSION = 35.0
"""Seconds that each death may add: until it is restarted, and until its work is inherited."""


def violations(
    history: History,
    scenario: Scenario,
    incidents: tuple[Incident, ...],
    gauges: Gauges,
    dead_letters: Sequence[Buried],
) -> list[str]:
    """Every promise that was broken, in words; empty when all were kept."""
    checks = [
        _p1_accepted_is_processed(history, scenario),
        _p6_nothing_is_left(gauges, dead_letters),
        _p7_once(history),
        _p7_pods(history),
        _p8_fenced(history),
        _p10_limits(history),
        _p11_order(history),
        _p13_stops(history),
        _p13_newest_policy(history),
        _p13_asked(history, scenario),
        _p14_verified(history),
        _only_rises(history),
    ]
    given_up = [b for b in dead_letters if b.letter.tries >= DELIVERIES]
    checks.append(_p6_people_are_told(history, given_up))
    dependent = (
        _p6_nobody_waits(incidents),
        _p11_delivered(history),
        _p18_deadlines(history, scenario),
        _p18_raised(history, scenario),
        _ends_well(incidents),
    )
    # what died with its process five times waits for a person, and so may the incident it belongs to
    excused = _incidents_of(given_up, history)
    checks += [(text for text in check if not any(name in text for name in excused)) for check in dependent]
    return [text for check in checks for text in check]


def _p1_accepted_is_processed(history: History, scenario: Scenario) -> Iterator[str]:
    joined = {fp for commit in history.of(Committed) for fp in commit.joined}
    held = {rule.name.removesuffix("-down") for rule in scenario.policy.rules if rule.hold}
    may_pass_unseen = {outage.fingerprint for outage in scenario.outages if outage.service in held}
    for answer in history.of(Answered):
        if answer.firing and answer.fingerprint not in joined | may_pass_unseen:
            yield f"P1: alert {answer.fingerprint} was answered 2xx at {answer.at:.1f} and never processed"


def _p6_nothing_is_left(gauges: Gauges, dead_letters: Sequence[Buried]) -> Iterator[str]:
    for queue, left in gauges.backlog.items():
        if left:
            yield f"P6: {left} entries are left in {queue}"
    if gauges.timer_lag:
        yield f"P12: a timer is overdue by {gauges.timer_lag} ms"
    for buried in dead_letters:
        if buried.letter.tries < DELIVERIES and buried.letter.queue != "outbox":
            yield f"P6: {buried.letter.payload} was given up after {buried.letter.tries} tries"


def _incidents_of(given_up: Sequence[Buried], history: History) -> set[str]:
    """Incidents that a dead letter names, by id or by an alert; a timer names none, so it may be of any."""
    incidents: dict[str, set[str]] = defaultdict(set)
    for commit in history.of(Committed):
        incidents[commit.incident].update(commit.joined)
    payloads = [buried.letter.payload for buried in given_up]
    if any('"due":' in payload for payload in payloads):
        return set(incidents)
    return {
        incident
        for incident, alerts in incidents.items()
        if any(
            incident in payload or any(f'"{alert}"' in payload for alert in alerts) for payload in payloads
        )
    }


def _p6_people_are_told(history: History, given_up: Sequence[Buried]) -> Iterator[str]:
    told = {got.dedup_key for got in history.of(PagerGot) if got.dedup_key.startswith("dead/")}
    if len(told) < len(given_up):
        yield f"P6: {len(given_up)} entries were given up, and people were told of {len(told)}"


def _p6_nobody_waits(incidents: tuple[Incident, ...]) -> Iterator[str]:
    for incident in incidents:
        if incident.active is not None:
            yield f"P6: {incident.id} still waits for {incident.active.pending or 'a timer'}"
        if incident.status is Status.HELD:
            yield f"P12: {incident.id} is still held"


def _p7_once(history: History) -> Iterator[str]:
    rolled: dict[tuple[str, str], int] = defaultdict(int)
    for change in history.of(Changed):
        rolled[change.effect, change.pod] += change.rolled
    for (effect, pod), count in rolled.items():
        if count > 1:
            yield f"P7: {effect} took effect {count} times" + (f" on pod {pod}" if pod else "")


def _p7_pods(history: History) -> Iterator[str]:
    """However often a step is performed, it takes no pod away but those it first meant."""
    meant: dict[str, frozenset[str]] = {}
    for record in history.records:
        if isinstance(record, Intended):
            meant.setdefault(record.effect, record.pods)
        elif isinstance(record, Changed) and record.pod not in meant.get(record.effect, ()) and record.pod:
            yield f"P7: {record.effect} took pod {record.pod} away at {record.at:.1f}, which it never meant"


def _p8_fenced(history: History) -> Iterator[str]:
    newest: dict[str, int] = defaultdict(int)
    for record in history.records:
        if isinstance(record, Claimed):
            newest[record.target] = max(newest[record.target], record.epoch)
        elif isinstance(record, Changed) and not record.pod and record.epoch < newest[record.target]:
            yield (
                f"P8: {record.target} was changed at {record.at:.1f} under epoch {record.epoch}, "
                f"after epoch {newest[record.target]} had claimed it"
            )


def _p10_limits(history: History) -> Iterator[str]:
    taken: dict[str, dict[str, float]] = defaultdict(dict)
    free: set[str] = set()
    changed: set[str] = set()
    for record in history.records:
        if isinstance(record, LimitsRefunded) and any(record.member in members for members in taken.values()):
            if record.member in changed:
                yield f"P10: {record.member} gave back at {record.at:.1f} what it had spent"
            free.add(record.member)
            for members in taken.values():
                members.pop(record.member, None)
        elif isinstance(record, LimitsTaken):
            free.discard(record.member)
            for name, count, per in record.limits:
                members = taken[name]
                members.setdefault(record.member, record.at)
                recent = [at for at in members.values() if record.at - at < per / 1000]
                if len(recent) > count:
                    yield f"P10: {name} was taken {len(recent)} times in {per} ms, at most {count} allowed"
        elif isinstance(record, Changed) and record.rolled:
            member = record.effect.rpartition("/")[0]
            changed.add(member)
            if member in free:
                yield f"P10: {member} changed {record.target} at {record.at:.1f} without its limits"


def _p11_order(history: History) -> Iterator[str]:
    decided: set[tuple[str, PageKind]] = set()
    triggered: set[str] = set()
    for record in history.records:
        if isinstance(record, Committed):
            decided.update(record.queued_pages)
        elif isinstance(record, PagerGot):
            if (record.dedup_key, record.kind) not in decided and not record.dedup_key.startswith("dead/"):
                yield f"P11: {record.kind} of {record.dedup_key} was sent before it was committed"
            if record.kind is PageKind.TRIGGER:
                triggered.add(record.dedup_key)
            elif record.dedup_key not in triggered:
                yield f"P11: {record.dedup_key} was resolved before it was triggered"


def _p11_delivered(history: History) -> Iterator[str]:
    decided = {page for commit in history.of(Committed) for page in commit.queued_pages}
    delivered = {(got.dedup_key, got.kind) for got in history.of(PagerGot)}
    for dedup_key, kind in sorted(decided - delivered):
        yield f"P11: {kind} of {dedup_key} was decided and never delivered"


def _p13_stops(history: History) -> Iterator[str]:
    since: dict[PauseScope, float] = {}
    for record in history.records:
        if isinstance(record, Paused) and record.on:
            since[record.scope] = record.at
        elif isinstance(record, Paused):
            since.pop(record.scope, None)
        elif isinstance(record, Changed):
            for scope, at in since.items():
                late = record.asked_at - at
                if _meets(scope, record.target) and late > LOOKING + record.frozen_for:
                    yield f"P13: {record.target} was changed {late:.1f} s after a pause of {scope}"


def _meets(scope: PauseScope, target: str) -> bool:
    """Services of simulations are called as their workloads."""
    namespace, _, name = target.split("/")
    met = {ScopeKind.ALL: "", ScopeKind.NAMESPACE: namespace, ScopeKind.SERVICE: name}
    return met.get(scope.kind) == scope.name


def _p13_newest_policy(history: History) -> Iterator[str]:
    """What the newest policy forbids is not done, whatever was begun under the one before."""
    since: dict[str, float] = {}
    for record in history.records:
        if isinstance(record, Reloaded):
            since = {target: since.get(target, record.at) for target in record.forbidden}
        elif isinstance(record, Changed) and record.target in since:
            late = record.asked_at - since[record.target]
            if late > LOOKING + record.frozen_for:
                yield f"P13: {record.target} was changed {late:.1f} s after it was forbidden by a new policy"


def _p13_asked(history: History, scenario: Scenario) -> Iterator[str]:
    """Where a person has to agree first, nothing is changed before one has, for that very attempt."""
    services = scenario.policy.services
    asking = {rule.matchers[0].value for rule in scenario.policy.rules if rule.mode is Mode.APPROVE}
    targets = {ref.path for name in asking if (ref := services[name].workload) is not None}
    agreed: set[str] = set()
    for record in history.records:
        if isinstance(record, Agreed):
            agreed.add(record.attempt)
        elif isinstance(record, Changed) and record.target in targets:
            attempt = record.effect.rpartition("/")[0]
            if attempt not in agreed:
                yield f"P13: {record.target} was changed by {attempt}, to which nobody had agreed"


def _p14_verified(history: History) -> Iterator[str]:
    for verified in history.of(Verified):
        if not verified.healthy:
            yield f"P14: {verified.incident} was called verified while {verified.target} was broken"


def _p18_deadlines(history: History, scenario: Scenario) -> Iterator[str]:
    """Whoever must be paged by a time is: at the latest that long after, in the worst of weather."""
    opened: dict[str, Committed] = {}
    over: dict[str, float] = {}
    first_page = _first_pages(history)
    for commit in history.of(Committed):
        if commit.status is Status.RESOLVED or any(o is Outcome.VERIFIED for _, o in commit.ended):
            over.setdefault(commit.incident, commit.at)
        elif commit.status is not Status.HELD:
            opened.setdefault(commit.incident, commit)
    for incident, commit in opened.items():
        allowed = {"SEV-1": 0.0, "SEV-2": DEADLINE / 1000}.get(commit.severity)
        if allowed is None:
            continue
        due = commit.at + allowed
        latest = due + SLACK + _hindered(history, commit.at, due + SLACK)
        if over.get(incident, 1e9) > latest and first_page.get(incident, 1e9) > latest:
            when = f"at {first_page[incident]:.1f}" if incident in first_page else "never"
            yield f"P18: {incident} ({commit.severity}) was to be paged by {due:.1f} and was {when}"


def _only_rises(history: History) -> Iterator[str]:
    """A severity never falls, whatever comes late, twice or in another order."""
    worst: dict[str, str] = {}
    for commit in history.of(Committed):
        before = worst.setdefault(commit.incident, commit.severity)
        if severity_rank(commit.severity) > severity_rank(before):
            yield f"P5: {commit.incident} fell from {before} to {commit.severity}"
        worst[commit.incident] = commit.severity


def _p18_raised(history: History, scenario: Scenario) -> Iterator[str]:
    """What is still open after its time is more severe; and what pages at once has been paged."""
    first_page = _first_pages(history)
    for opening in _openings(history):
        start = opening[0]
        for each in scenario.policy.severities[start.severity].raises:
            if isinstance(each.when, StillOpen):
                due = start.at + each.when.after / 1000
                latest = due + SLACK + _hindered(history, start.at, due + SLACK)
                if _over_at(opening) > latest and _at_least(opening, each.to) > latest:
                    yield f"P12: {start.incident} was to be {each.to} by {due:.1f} and was not"
        raised_at = _at_least(opening, "SEV-1")
        latest = raised_at + SLACK + _hindered(history, raised_at, raised_at + SLACK)
        if _over_at(opening) > latest and first_page.get(start.incident, 1e9) > latest:
            yield f"P18: {start.incident} was raised to SEV-1 at {raised_at:.1f} and nobody was paged"


def _openings(history: History) -> Iterator[list[Committed]]:
    """The commits of each opening of each incident, from the first that is no longer held."""
    openings: dict[tuple[str, int], list[Committed]] = {}
    for commit in history.of(Committed):
        key = (commit.incident, commit.reopened)
        if key in openings or commit.status not in (Status.HELD, Status.RESOLVED):
            openings.setdefault(key, []).append(commit)
            earlier = openings.get((commit.incident, commit.reopened - 1), [])
            if earlier and earlier[-1].status is not Status.RESOLVED:
                earlier.append(replace(commit, status=Status.RESOLVED))  # that opening is over in any case
    return iter(openings.values())


def _over_at(opening: Sequence[Committed]) -> float:
    return next((commit.at for commit in opening if commit.status is Status.RESOLVED), 1e9)


def _at_least(opening: Sequence[Committed], severity: str) -> float:
    """When it first was that severe."""
    wanted = severity_rank(severity)
    return next((commit.at for commit in opening if severity_rank(commit.severity) <= wanted), 1e9)


def _hindered(history: History, start: float, end: float) -> float:
    """By how much deaths and freezes may have put things off; each that falls in the delay adds to it."""
    added = 0.0
    for record in history.records:
        if isinstance(record, (Died, Froze)) and start <= record.at <= end + added:
            added += SUCCESSION if isinstance(record, Died) else record.seconds
    return added


def _first_pages(history: History) -> dict[str, float]:
    first: dict[str, float] = {}
    for got in history.of(PagerGot):
        if got.kind is PageKind.TRIGGER and "/asks/" not in got.dedup_key and "/lowered" not in got.dedup_key:
            first.setdefault(got.dedup_key.split("/")[0], got.at)
    return first


def _ends_well(incidents: tuple[Incident, ...]) -> Iterator[str]:
    for incident in incidents:
        if incident.resolved or incident.status is Status.HELD:
            continue
        if incident.alerts:
            yield f"P5: {incident.id} counts {incident.alerts} firing alerts, but all outages are over"
        elif not incident.level and incident.severity != "SEV-3":
            yield f"P14: {incident.id} is left open and nobody was paged"
