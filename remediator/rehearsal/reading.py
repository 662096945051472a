"""Test files to tests: everything that is wrong with them in one run, or the values they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from remediator.core.pauses import EVERYTHING, NAMED_KINDS, PauseScope
from remediator.core.policies import Mode, Policy
from remediator.core.times import Millis, format_duration, stamp_instant
from remediator.policy.findings import Finding, Findings, Level, Spot, quoted, suggestion
from remediator.policy.nodes import Items, Node, Scalar, Table, compose, follow
from remediator.policy.sources import Source, read_sources
from remediator.policy.validate import validate
from remediator.rehearsal.cases import (
    Acknowledge,
    Approve,
    Case,
    Close,
    CloseBreaker,
    Deed,
    Expectation,
    ExpectedAttempt,
    Fire,
    Moment,
    PauseChanges,
    Reject,
    Resolve,
    ResumeChanges,
    SilenceAlerts,
    Tell,
)
from remediator.rehearsal.language import (
    ExpectWords,
    MomentWords,
    NodeWords,
    OutcomeWords,
    ScopeWords,
    TestWords,
    WorkloadWords,
)
from remediator.rehearsal.names import check_names
from remediator.rehearsal.script import (
    ChannelOutcome,
    CheckOutcome,
    DiagnosisOutcome,
    Hearing,
    NodeFacts,
    Outcome,
    Result,
    StepOutcome,
    WorkloadFacts,
)

SECTION = "tests"
BEGIN = (
    "there are no tests here; write one into a file named *_test.yaml, such as tests: [{name: a service "
    "that is down is SEV-2, alerts: [{at: 0s, fire: {alertname: ServiceDown}}], expect: [{at: 1s, severity: "
    "SEV-2}]}]"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadTests:
    """What came of reading. ``cases`` are those without an error."""

    cases: tuple[Case, ...]
    findings: tuple[Finding, ...]

    @property
    def has_errors(self) -> bool:
        """Whether any finding is an error."""
        return any(finding.level is Level.ERROR for finding in self.findings)


def read_tests(source: Source, policy: Policy) -> ReadTests:
    """Read the test files of a directory, or texts by path. Never raises for what stands in them."""
    out = Findings()
    cases: list[Case] = []
    sources = read_sources(source, out, tests=True)
    for path, text in sources.texts.items():
        for document in compose(path, text, out) or ():
            cases += _read_document(document, policy, out)
    _check_twins(cases, out)
    if not cases and not out.found:
        where = "." if isinstance(source, Mapping) else str(source)
        out.add(Spot(path=where), "T830", BEGIN)
    return ReadTests(cases=tuple(cases), findings=tuple(_as_test_finding(f) for f in out.ordered()))


def _as_test_finding(finding: Finding) -> Finding:
    """Codes of test files are those of policy files, ``P010`` as ``T810``."""
    return replace(finding, code=f"T8{finding.code[2:]}") if finding.code.startswith("P0") else finding


def _read_document(document: Node, policy: Policy, out: Findings) -> Iterator[Case]:
    if isinstance(document, Scalar) and document.value is None:
        return
    if not isinstance(document, Table):
        out.add(document.at, "T813", "expected tests: and below it a list of tests")
        return
    for entry in document.entries:
        name = entry.key.text
        if name != SECTION:
            hint = f"a test file holds nothing but {SECTION}; {suggestion(name, [SECTION])}"
            out.add(entry.key.at, "T810", f"unknown section {quoted(name)}; {hint}")
        elif not isinstance(entry.value, Items):
            out.add(entry.value.at, "T813", f"{SECTION} must be a list: begin each test with - name: …")
        else:
            for item in entry.value.items:
                if (case := _read_case(item, policy, out)) is not None:
                    yield case


def _read_case(node: Node, policy: Policy, out: Findings) -> Case | None:
    named = next(follow(node, ("name",)), None)
    at = named.at if isinstance(named, Scalar) else node.at
    before = len(out.found) + out.left_out.total()
    words = validate(TestWords, node, at, out)
    if words is None:
        return None
    case = _built(words, node, at, policy, out)
    check_names(case, node, policy, out)
    _check_resolves(case, out)
    return case if len(out.found) + out.left_out.total() == before else None


def _built(words: TestWords, node: Node, at: Spot, policy: Policy, out: Findings) -> Case:
    def place(*keys: str) -> Spot:
        """One of a kind can stand without a list around it: then it has no number."""
        alone = tuple(key for key in keys if not key.isdecimal())
        return next((found.at for each in (keys, alone) for found in follow(node, each)), at)

    def facts(told: WorkloadWords, *keys: str) -> WorkloadFacts:
        return _facts(told, policy, place(*keys, "workload"), out)

    moments = [
        Moment(
            at=Millis(moment.at),
            deed=_deed(moment, partial(_facts, policy=policy, at=place("alerts", str(number)), out=out)),
            where=place("alerts", str(number)),
        )
        for number, moment in enumerate(words.alerts)
    ]
    expectations = [
        _expectation(each, place("expect", str(number)), next(follow(node, ("expect", str(number)))))
        for number, each in enumerate(words.expect)
    ]
    return Case(
        name=words.name,
        where=at,
        moments=tuple(moments),
        expectations=tuple(sorted(expectations, key=lambda each: each.at)),
        outcomes=tuple(map(_outcome, words.outcomes)),
        workloads=(
            *(facts(each, "cluster", str(n)) for n, each in enumerate(words.cluster)),
            *map(_node_facts, words.nodes),
        ),
        queries={query: tuple(values) for query, values in words.query.items()},
        start=None if words.start is None else stamp_instant(words.start),
        ceiling=Mode(words.mode),
        trust={rule: Mode(mode) for rule, mode in words.trust.items()},
    )


def _deed(words: MomentWords, facts: Callable[[WorkloadWords], WorkloadFacts]) -> Deed:
    match words.deed:
        case "fire":
            return Fire(alerts=tuple(words.fire or ()), annotations=words.annotations or {})
        case "resolve":
            return Resolve(alerts=tuple(words.resolve or ()))
        case "acknowledge":
            return Acknowledge(by=words.acknowledge or "", service=words.service)
        case "close":
            return Close(by=words.close or "", service=words.service)
        case "approve":
            return Approve(by=words.approve or "", service=words.service)
        case "reject":
            return Reject(by=words.reject or "", service=words.service)
        case "pause":
            span = None if words.span is None else Millis(words.span)
            return PauseChanges(reason=words.pause or "", scope=_scope(words.scope), span=span)
        case "resume":
            return ResumeChanges(scope=_scope(words.scope))
        case "silence":
            span = None if words.span is None else Millis(words.span)
            return SilenceAlerts(alerts=tuple(words.silence or ()), span=span)
        case "close_breaker":
            return CloseBreaker(runbook=words.close_breaker or "")
        case "query":
            return Tell(queries={query: tuple(values) for query, values in (words.query or {}).items()})
        case "nodes":
            return Tell(said=tuple(map(_node_facts, words.nodes or ())))
        case "cluster":
            return Tell(said=tuple(facts(each) for each in words.cluster or ()))
        case _:
            return Tell(said=tuple(map(_outcome, words.outcome or ())))


def _scope(words: ScopeWords | None) -> PauseScope:
    named = {kind: getattr(words, kind) for kind in NAMED_KINDS} if words is not None else {}
    return next((PauseScope(kind=kind, name=name) for kind, name in named.items() if name), EVERYTHING)


def _outcome(words: OutcomeWords) -> Outcome:
    result = words.result or "ok"
    if (action := words.step or words.undo) is not None:
        return StepOutcome(
            step=action,
            runbook=words.runbook,
            result=Result(result),
            takes=Millis(words.takes or 0),
            undo=words.undo is not None,
        )
    if words.check is not None:
        return CheckOutcome(
            check=words.check, runbook=words.runbook, result=Result(result), after=Millis(words.after or 0)
        )
    if words.diagnosis is not None:
        return DiagnosisOutcome(
            diagnosis=words.diagnosis, runbook=words.runbook, finds=tuple(words.finds or ())
        )
    return ChannelOutcome(channel=words.channel or "", result=Hearing(result))


def _facts(words: WorkloadWords, policy: Policy, at: Spot, out: Findings) -> WorkloadFacts:
    kind, name = words.workload
    known = [
        service.workload
        for service in policy.services.values()
        if service.workload is not None and (service.workload.kind, service.workload.name) == (kind, name)
    ]
    spaces = sorted({ref.namespace for ref in known})
    if words.namespace is None and len(spaces) != 1:
        if spaces:
            out.add(
                at, "T831", f"{kind}/{name} is in namespaces {', '.join(spaces)}; add namespace: beside it"
            )
        else:
            workloads = {str(s.workload) for s in policy.services.values() if s.workload is not None}
            hint = suggestion(f"{kind}/{name}", workloads)
            out.add(at, "T831", f"no service of the catalog has workload {quoted(f'{kind}/{name}')}; {hint}")
    namespace = words.namespace or (spaces[0] if spaces else "")
    return WorkloadFacts(
        path=f"{namespace}/{kind}/{name}",
        replicas=words.replicas,
        ready=words.ready,
        restarted=words.restarted,
        missing=words.missing,
        ignored=words.ignored,
        paused=words.paused,
        forbidden=words.forbidden,
        budget=words.budget,
        isolated=words.isolated,
        kept_by=words.kept_by or "",
        autoscaler=None if words.autoscaler is None else (words.autoscaler.least, words.autoscaler.most),
        images=words.images,
        measured=words.measured,
        rolled_out=None if words.rolled_out is None else Millis(words.rolled_out),
    )


def _node_facts(words: NodeWords) -> NodeFacts:
    return NodeFacts(
        name=words.node,
        ready=words.ready,
        cordoned=words.cordoned or "",
        control_plane=words.control_plane,
        last=words.last,
        pods=tuple(words.pods),
        missing=words.missing,
        ignored=words.ignored,
        forbidden=words.forbidden,
    )


def _expectation(words: ExpectWords, where: Spot, node: Node) -> Expectation:
    places = {}
    if isinstance(node, Table):
        places = {entry.key.text: _place(entry.value) for entry in node.entries}
    attempts = None
    if words.attempts is not None:
        attempts = tuple(ExpectedAttempt(runbook=a.runbook, outcome=a.outcome) for a in words.attempts)
    return Expectation(
        at=Millis(words.at),
        where=where,
        places=places,
        service=words.service,
        incidents=words.incidents,
        rule=words.rule,
        severity=words.severity,
        status=words.status,
        raised_to=words.raised_to,
        reopened=words.reopened,
        attached_to=words.attached_to,
        attempts=attempts,
        changes=_tuple(words.changes),
        blocked_by=_tuple(words.blocked_by),
        pages=words.pages,
        level=words.level,
        timeline=_tuple(words.timeline),
    )


def _place(node: Node) -> Spot:
    return node.at


def _tuple(texts: list[str] | None) -> tuple[str, ...] | None:
    return None if texts is None else tuple(texts)


def _check_twins(cases: list[Case], out: Findings) -> None:
    first: dict[str, Case] = {}
    for case in cases:
        if (twin := first.setdefault(case.id, case)) is not case:
            out.add(
                case.where,
                "T805",
                f"test {quoted(case.name)} is there twice, first at {twin.where}; keep one",
            )


def _check_resolves(case: Case, out: Findings) -> None:
    """What resolves must have fired: labels that differ in one letter are another alert."""
    fired: list[Mapping[str, str]] = []
    for moment in sorted(case.moments, key=lambda each: each.at):
        if isinstance(moment.deed, Fire):
            fired += moment.deed.alerts
        elif isinstance(moment.deed, Resolve):
            for labels in moment.deed.alerts:
                if labels not in fired:
                    out.add(moment.where, "T832", _never_fired(labels, fired, moment.at))


def _never_fired(labels: Mapping[str, str], fired: list[Mapping[str, str]], at: int) -> str:
    near = max(fired, key=lambda other: len(labels.items() & other.items()), default=None)
    if near is None:
        return f"nothing has fired by {format_duration(at)} that could resolve; fire it first"
    names = sorted({name for name, _ in labels.items() ^ near.items()})
    return (
        f"no alert with exactly these labels has fired by {format_duration(at)}; the nearest one differs in "
        f"{', '.join(names)}: write the labels as they fired"
    )
