"""Why things are as they are on a stage, in the words of an SRE."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from remediator.core.classify import Miss
from remediator.core.incident import Incident, Status
from remediator.core.journal import CheckResult, Entry, Kind
from remediator.core.policies import Policy, Scope, StillOpen, describe_page_policy
from remediator.core.raising import Watched, describe_condition, watched
from remediator.core.roots import dependencies
from remediator.core.text import plain
from remediator.core.times import Instant, format_duration
from remediator.core.weighing import Scales, weigh
from remediator.rehearsal.cases import Case
from remediator.rehearsal.names import NOTHING
from remediator.rehearsal.stage import Stage
from remediator.rehearsal.telling import moment, what_comes_next
from remediator.rehearsal.watching import PageSent


class Reasons:
    """Explains one moment of one test."""

    def __init__(self, case: Case, stage: Stage, start: Instant) -> None:
        self._case, self._stage, self._start = case, stage, start
        self._policy: Policy = stage.policy

    def _at(self, at: Instant) -> str:
        return moment(at - self._start)

    def _labels(self, service: str | None = None) -> list[dict[str, str]]:
        """Of what has fired so far; a service's own, where any are."""
        now = self._stage.now() - self._start
        fired = [dict(labels) for at, alerts in self._case.fired if at <= now for labels in alerts]
        own = [
            labels
            for labels in fired
            if (match := self._stage.rules.match(labels)) is not None and match.service == service
        ]
        return own or fired

    # --- rules ---

    def rule_lost(self, rule: str, incident: Incident | None = None) -> str:
        """Why not that rule."""
        won = f"rule {incident.rule} won{self._where(incident.rule)}" if incident is not None else ""
        labels = self._labels(incident.service if incident is not None else None)
        said = [self._miss(rule, each) for each in labels[:1]]
        return "; ".join(filter(None, (won, *said)))

    def _where(self, rule: str) -> str:
        known = self._policy.rule(rule)
        return _at_place(known.where) if known is not None else ""

    def _miss(self, rule: str, labels: dict[str, str]) -> str:
        miss = next((miss for miss in self._stage.rules.misses(labels) if miss.rule.name == rule), None)
        if miss is not None:
            return _failed(miss)
        order = [each.name for each in self._stage.rules.covered(labels)]
        if rule in order and order[0] != rule:
            return f"{rule} matches too, but stands after {order[0]}"
        return ""

    def severity(self, expected: str, incident: Incident) -> str:
        """Why another severity than that."""
        raised = [e for e in self._stage.timeline(incident.id) if e.kind is Kind.SEVERITY_RAISED]
        if raised:
            return f"{raised[-1].text}, at {self._at(raised[-1].at)}{self._who_raised(raised[-1], incident)}"
        rule = self._policy.rule(incident.rule)
        said = f"rule {incident.rule} won{self._where(incident.rule)}"
        if rule is not None:
            said += f" and says {rule.severity}"
        near = [
            miss
            for labels in self._labels(incident.service)[:1]
            for miss in self._stage.rules.misses(labels)
            if miss.rule.severity == expected and miss.held
        ]
        parts = [said, *(_failed(miss) for miss in near[:1]), *self._would_raise(expected, incident)]
        return "; ".join([*parts, *what_comes_next(self._stage, incident, self._start, "raise")])

    def _who_raised(self, entry: Entry, incident: Incident) -> str:
        """Whose condition that was, and where it stands."""
        before, condition = str(entry.data.get("from")), entry.data.get("condition")
        known = watched(self._policy, before, incident.fed_by)
        says = [each for each in known if condition == plain(describe_condition(each.when), 300)]
        return "".join(f"; so says {each.by}{_at_place(each.where)}" for each in says[:1])

    def _would_raise(self, to: str, incident: Incident) -> list[str]:
        """What raises it to that severity, and what keeps it from doing so now."""
        return [
            f"{each.by} raises it when {describe_condition(each.when)}{_at_place(each.where)}"
            if isinstance(each.when, StillOpen)
            else f"{each.by}{_at_place(each.where)} does not raise it: {seen.observed}"
            for each, seen in self._conditions(incident)
            if each.to == to
        ]

    def _conditions(self, incident: Incident) -> Iterator[tuple[Watched, CheckResult]]:
        """What would raise it, and what that looks like now."""
        wanted = watched(self._policy, incident.severity, incident.fed_by)
        scope = Scope(
            incident=incident.id,
            severity=incident.severity,
            service=incident.service,
            entry=self._policy.services.get(incident.service),
            target=incident.aim.owner if incident.aim is not None else None,
        )
        scales = Scales(metrics=self._stage.world.metrics, services=self._stage.store.open_services)
        return zip(wanted, self._stage.ask(weigh(wanted, scope, self._policy, scales)), strict=True)

    def no_incident(self, service: str | None) -> str:
        """Why there is none, or not enough of them."""
        parts = []
        for one in self._stage.store.every():
            if one.status is Status.HELD and service in (None, one.service):
                rule = self._policy.rule(one.rule)
                held = format_duration(rule.hold) if rule is not None else "some time"
                coming = "; ".join(what_comes_next(self._stage, one, self._start, "hold"))
                parts.append(f"rule {one.rule} holds it for {held}{self._where(one.rule)}: {coming}")
        for labels in self._labels(service):
            name = labels.get("alertname", "an alert")
            match = self._stage.rules.match(labels)
            if match is None:
                near = self._stage.rules.misses(labels)[:1]
                parts.append(f"no rule matches {name}" + "".join(f"; {_failed(m)}" for m in near if m.held))
            elif service is not None and match.service != service:
                parts.append(f"{name} selects service {match.service}, by rule {match.rule.name}")
        if not self._labels():
            parts.append("nothing has fired yet")
        elif not parts:
            parts.append("what fired had resolved before anything was opened")
        return "; ".join(dict.fromkeys(parts[:4]))

    def groups(self) -> str:
        """By what alerts were told apart."""
        rules = dict.fromkeys(one.rule for one in self._stage.incidents)
        known = [rule for name in rules if (rule := self._policy.rule(name)) is not None]
        return "; ".join(f"rule {rule.name} groups by {', '.join(rule.group_by)}" for rule in known[:4])

    # --- people ---

    def paging(self, incident: Incident) -> str:
        """What its severity says about pages, and what comes next."""
        severity = self._policy.severities.get(incident.severity)
        said = f"{incident.severity} is {describe_page_policy(severity.page)}" if severity is not None else ""
        taken = f"acknowledged by {incident.acknowledged_by}" if incident.acknowledged_by else ""
        names = ("deadline", "escalate", "progress", "linger")
        return "; ".join(
            filter(None, (said, taken, *what_comes_next(self._stage, incident, self._start, *names)))
        )

    def pages(
        self,
        channel: str,
        wanted: int,
        sent: Sequence[PageSent],
        own: Sequence[Incident],
        service: str | None,
    ) -> str:
        """When they left; why no more did, or why more did than were expected."""
        mine = [page for page in sent if page.channel == channel]
        left = [f"level {page.level} at {self._at(page.at)}" for page in mine]
        parts = [f"{channel} took " + ", ".join(left)] if left else []
        if len(mine) > wanted:
            parts.append(self._page_reason(mine[-1]))
        else:
            if not own:
                parts.append(self.no_incident(service))
            for one in own[-1:]:
                parts += [self._refusals(one, channel) or self.paging(one), _not_asked(one, channel)]
        return "; ".join(filter(None, parts))

    def _page_reason(self, page: PageSent) -> str:
        known = self._stage.store.find(page.incident)
        mine = known.pages if known is not None else ()
        said = [own.reason for own in mine if (own.channel, own.level) == (page.channel, page.level)]
        return f"the last one because {said[-1]}" if said else ""

    def _refusals(self, incident: Incident, channel: str) -> str:
        entries = self._stage.timeline(incident.id)
        refused = [
            e.text
            for e in entries
            if e.kind is Kind.PAGE_DELIVERY
            and e.data.get("channel") == channel
            and e.data.get("outcome") != "accepted"
        ]
        return refused[-1] if refused else ""

    # --- remediation ---

    def status(self, expected: str, incident: Incident) -> str:
        """What happened last, and what it waits for."""
        last = self._stage.timeline(incident.id)[-1:]
        said = [f"last, at {self._at(entry.at)}: {entry.text}" for entry in last]
        if incident.alerts and expected == Status.RESOLVED:
            fires = "1 alert still fires" if incident.alerts == 1 else f"{incident.alerts} alerts still fire"
            said.append(fires)
        active = incident.active
        if active is not None:
            unmet = [
                f"{check.check}: {seen.observed}"
                for check, seen in zip(active.awaited, active.checks, strict=False)
                if seen.since is None or self._stage.now() - seen.since < check.stable
            ]
            said += [f"attempt {active.number} is {active.phase}", *unmet]
        names = ("approval", "deadline", "linger")
        return "; ".join([*said, *what_comes_next(self._stage, incident, self._start, *names)])

    def attempts(self, incident: Incident, known: Collection[int] = ()) -> str:
        """How they ended, or what they wait for. ``known``: numbers of those that ended as expected."""
        ended = [one for one in incident.attempts if one.ended_at is not None]
        said = [
            f"attempt {one.number} ended at {self._at(one.ended_at)}: {one.reason}"
            for one in [one for one in ended if one.number not in known] or ended[-1:]
            if one.ended_at is not None
        ]
        if incident.active is not None:
            return "; ".join([*said, self.status("", incident)])
        if said:
            return "; ".join(said)
        rule = self._policy.rule(incident.rule)
        return f"rule {incident.rule} names no runbooks" if rule is not None and not rule.runbooks else ""

    def blocked(self, incident: Incident) -> tuple[str, ...]:
        """The guards that blocked, in order."""
        return tuple(
            dict.fromkeys(
                str(entry.data.get("guard"))
                for entry in self._stage.timeline(incident.id)
                if entry.kind is Kind.GUARD and entry.data.get("verdict") == "blocks"
            )
        )

    def attached(self, wanted: str, incident: Incident) -> str:
        """What it waits for and why; why it does not wait for that one."""
        said = [e for e in self._stage.timeline(incident.id) if e.kind in (Kind.ATTACHED, Kind.DETACHED)]
        if said and (incident.attached_to is not None or wanted == NOTHING):
            return f"at {self._at(said[-1].at)}: {said[-1].text}"
        if wanted not in dependencies(incident.service, self._policy.services):
            return f"{incident.service} does not depend on {wanted}"
        rest = self.attempts(incident) or (f"at {self._at(said[-1].at)}: {said[-1].text}" if said else "")
        opened = [one for one in self._stage.incidents if one.service == wanted and not one.resolved]
        return rest if opened else "; ".join(filter(None, (f"no incident of {wanted} is open", rest)))

    def not_blocked(self, incident: Incident, guards: Iterable[str]) -> str:
        """What they said instead."""
        said = [
            entry.text
            for entry in self._stage.timeline(incident.id)
            if entry.kind is Kind.GUARD and entry.data.get("guard") in set(guards)
        ]
        return "; ".join(dict.fromkeys(said[-3:])) or self.attempts(incident)

    def not_raised(self, to: str, incident: Incident) -> str:
        """What would raise it to that severity, and when."""
        said = self._would_raise(to, incident) or [f"nothing raises {incident.severity} to {to}"]
        return "; ".join([*said, *what_comes_next(self._stage, incident, self._start, "raise")])


def _not_asked(incident: Incident, channel: str) -> str:
    """Where people are asked, and that channel is not among them."""
    asked = next((level for level in incident.levels if level.level == incident.level), None)
    if asked is None or channel in asked.channels:
        return ""
    return f"level {asked.level} asks {', '.join(asked.channels)}"


def _at_place(where: str) -> str:
    return f" ({where})" if where else ""


def _failed(miss: Miss) -> str:
    saw = f"saw {miss.saw!r}" if miss.saw else "there is no such label"
    return f"{miss.rule.name} fails at {miss.matcher} ({saw})"
