"""Rules broken: which alerts they match, in which order, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, product

from remediator.core.classify import Classifier
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.policies import SEVERITIES, Mode, Policy, Rule, severity_rank
from remediator.core.text import plain
from remediator.core.times import format_duration
from remediator.rehearsal.cases import Labels
from remediator.rehearsal.mutants.base import RAISE_HINT, Mutant, raises_changed, spans
from remediator.rehearsal.places import Places

_NEGATED = {
    MatchOp.EQUAL: MatchOp.NOT_EQUAL,
    MatchOp.NOT_EQUAL: MatchOp.EQUAL,
    MatchOp.MATCHES: MatchOp.NOT_MATCHES,
    MatchOp.NOT_MATCHES: MatchOp.MATCHES,
}
MOST_ALTERNATIVES = 12
MOST_PROBES = 24
SHOWN = 60
_LOWER = {Mode.AUTO: Mode.SUGGEST, Mode.APPROVE: Mode.OBSERVE, Mode.SUGGEST: Mode.OBSERVE}
"""What a rule is trusted with when its mode is lowered, so that a test can see it."""


UNASKED = "expect outcome: approving and changes: [] before somebody approves: {at: 3m, approve: oncall}"


def mutants_of_rules(policy: Policy, places: Places) -> Iterator[Mutant]:
    """Every rule by itself."""
    for number, rule in enumerate(policy.rules):
        yield _rule_mutant(
            policy, number, None, "", "removed", f"let an alert fire that only {rule.name} matches"
        )
        yield from _matchers(policy, places, number, rule)
        yield from _consequences(policy, places, number, rule)


def _rule_mutant(
    policy: Policy,
    number: int,
    changed: Rule | None,
    where: str,
    change: str,
    hint: str,
    *,
    says: bool = False,
) -> Mutant:
    """``says``: whether it still matches what it matched, and only what follows is changed."""
    rule = policy.rules[number]
    kept = () if changed is None else (changed,)
    return Mutant(
        section="rules",
        subject=f"rule {rule.name}",
        where=where or rule.where,
        change=change,
        hint=hint,
        policy=replace(policy, rules=(*policy.rules[:number], *kept, *policy.rules[number + 1 :])),
        touches=("rules", rule.name) if says else None,
    )


def _matchers(policy: Policy, places: Places, number: int, rule: Rule) -> Iterator[Mutant]:
    for index, matcher in enumerate(rule.matchers):
        where = str(places.find("rules", rule.name, "match", str(index)) or rule.where)
        others = rule.matchers[:index], rule.matchers[index + 1 :]
        label = f"with another value of {matcher.name}"

        def mutant(
            own: tuple[Matcher, ...],
            change: str,
            hint: str,
            kept: Sequence[tuple[Matcher, ...]] = others,
            at: str = where,
        ) -> Mutant:
            matchers = (*kept[0], *own, *kept[1])
            return _rule_mutant(policy, number, replace(rule, matchers=matchers), at, change, hint)

        shown = plain(str(matcher), SHOWN)
        if len(rule.matchers) > 1:
            hint = f"let an alert fire {label} and expect that {rule.name} does not win"
            yield mutant((), f"matcher {shown} dropped", hint)
        negated = replace(matcher, op=_NEGATED[matcher.op])
        hint = f"let an alert fire that {rule.name} is for, and expect rule: {rule.name}"
        yield mutant((negated,), f"matcher {shown} negated, {negated.op}", hint)
        for words, hint, other in _other_values(matcher):
            yield mutant((other,), words, hint)


def _other_values(matcher: Matcher) -> Iterator[tuple[str, str, Matcher]]:
    """Each alternative of a regular expression left out; any other value is another one."""
    parts = alternatives(matcher)
    for part in parts[:MOST_ALTERNATIVES] if len(parts) > 1 else ():
        rest = "|".join(other for other in parts if other is not part)
        words = f"matcher of {matcher.name}: {plain(part, SHOWN)} left out"
        yield (
            words,
            f"let an alert fire whose {matcher.name} is {plain(part, SHOWN)}",
            replace(matcher, value=rest),
        )
    if not matcher.is_regex:
        other = replace(matcher, value=f"{matcher.value}-changed")
        words = f"matcher of {matcher.name}: {plain(matcher.value, SHOWN)!r} -> {plain(other.value, SHOWN)!r}"
        yield words, f"let an alert fire whose {matcher.name} is {plain(matcher.value, SHOWN)}", other


def alternatives(matcher: Matcher) -> list[str]:
    """The parts of an expression that is a plain list of words, such as ``A|B``; else the whole."""
    if matcher.is_regex and not set(matcher.value).intersection("()[]\\"):
        return matcher.value.split("|")
    return [matcher.value]


def _consequences(policy: Policy, places: Places, number: int, rule: Rule) -> Iterator[Mutant]:
    def at(key: str) -> str:
        return str(places.find("rules", rule.name, key) or rule.where)

    def mutant(key: str, change: str, hint: str, **values: object) -> Mutant:
        changed = replace(rule, **values)  # type: ignore[arg-type]  # checked by the dataclass
        return _rule_mutant(policy, number, changed, at(key), change, hint, says=True)

    rank = severity_rank(rule.severity)
    for other in SEVERITIES[max(rank - 1, 0) : rank + 2]:
        if other != rule.severity and other in policy.severities:
            hint = f"expect severity: {rule.severity} of an incident that {rule.name} opens"
            yield mutant("severity", f"severity {rule.severity} -> {other}", hint, severity=other)
    if rule.mode in _LOWER and rule.runbooks:
        lower = _LOWER[rule.mode]
        hint = f"expect how it ends: attempts: [{{runbook: {rule.runbooks[0]}, outcome: verified}}]"
        yield mutant("mode", f"mode {rule.mode} -> {lower}", hint, mode=lower)
    if rule.mode is Mode.APPROVE and rule.runbooks:
        yield mutant("mode", f"mode {rule.mode} -> {Mode.AUTO}", UNASKED, mode=Mode.AUTO)
    if rule.target is not None and rule.runbooks:
        hint = (
            f"expect the workload that owns the {rule.target.kind} in what {rule.name} changes, or service:"
        )
        yield mutant("target", "target removed", hint, target=None)
    if rule.hold:
        held = format_duration(rule.hold)
        hint = f"expect incidents: 0 just before {held} and incidents: 1 just after"
        yield from (mutant("hold", words, hint, hold=span) for words, span in spans("hold", rule.hold))
        yield mutant("hold", f"hold {held} -> 0s", hint, hold=0)
    yield from _grouping(rule, mutant)
    for name in rule.runbooks:
        rest = tuple(other for other in rule.runbooks if other != name)
        hint = f"expect an attempt of {name}"
        yield mutant("runbooks", f"runbook {name} removed", hint, runbooks=rest)
    if len(rule.runbooks) > 1:
        hint = "let the first runbook fail, and expect both attempts in their order"
        yield mutant("runbooks", "runbooks in reverse", hint, runbooks=rule.runbooks[::-1])
    for _, words, raises in raises_changed(rule.raises):
        yield mutant("raise", words, RAISE_HINT, raises=raises)


def _grouping(rule: Rule, mutant: object) -> Iterator[Mutant]:
    assert callable(mutant)
    if len(rule.group_by) > 1:
        for name in rule.group_by:
            rest = tuple(other for other in rule.group_by if other != name)
            hint = f"fire two alerts that differ in {name} alone, and expect incidents: 2"
            yield mutant("group_by", f"group_by without {name}", hint, group_by=rest)
    elif rule.group_by != ("alertname",):
        hint = f"fire two alerts of one {rule.group_by[0]} that {rule.name} matches, and expect incidents: 1"
        yield mutant(
            "group_by",
            f"group_by {rule.group_by[0]} -> every alert by itself",
            hint,
            group_by=("alertname", "instance", "pod"),
        )


# --- order ---


def mutants_of_order(policy: Policy, fired: Sequence[Labels]) -> Iterator[Mutant]:
    """Two rules swapped, where some alert is matched by both and the first makes something else of it."""
    order = {rule.name: number for number, rule in enumerate(policy.rules)}
    rules, pairs = Classifier(policy), set()
    for labels in (*fired, *_probes(policy.rules)):
        covered = rules.covered(labels)
        if len(covered) > 1 and _plain(covered[0]) != _plain(covered[1]):
            pairs.add((order[covered[0].name], order[covered[1].name]))
    for one, other in sorted(pairs):
        swapped = list(policy.rules)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        first, second = policy.rules[one], policy.rules[other]
        yield Mutant(
            section="rules",
            subject=f"rule {first.name}",
            where=first.where,
            change=f"swapped with {second.name}, which matches too",
            hint=f"let an alert fire that both match, and expect rule: {first.name}",
            policy=replace(policy, rules=tuple(swapped)),
            touches=None,
        )


def _plain(rule: Rule) -> Rule:
    """What a rule makes of alerts, whichever it matches."""
    return replace(rule, name="", matchers=(), where="")


def _probes(rules: Iterable[Rule]) -> Iterator[Labels]:
    """Labels that rules are for, as far as their matchers name them."""
    for rule in rules:
        names = list(dict.fromkeys(matcher.name for matcher in rule.matchers))
        values = [_values(rule, name) for name in names]
        for chosen in islice(product(*values), MOST_PROBES):
            labels = {name: value for name, value in zip(names, chosen, strict=True) if value}
            if all(matcher.matches(labels) for matcher in rule.matchers):
                yield labels


def _values(rule: Rule, name: str) -> list[str]:
    own = [matcher for matcher in rule.matchers if matcher.name == name]
    named = [m for m in own if m.op in (MatchOp.EQUAL, MatchOp.MATCHES)]
    words = [part.replace(".*", "x").replace(".+", "x") for m in named for part in alternatives(m)]
    return words or ["", "x"]
