"""Lints of rules: which can never win or match, and what they would act upon."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from remediator.core.classify import SERVICE_LABELS
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.policies import Mode, PageUnlessVerified, Policy, Rule, Runbook
from remediator.core.times import format_duration
from remediator.policy.lint_view import Note, View
from remediator.policy.templates import LabelTemplate

_LITERALS = re.compile(r"[A-Za-z0-9_ /:-]+(\|[A-Za-z0-9_ /:-]+){0,49}", re.ASCII)


MOST_COMPARED = 300
"""Rules of one kind that a rule is compared with, so that the time stays linear in the number of rules."""


def possible_values(matchers: Iterable[Matcher], name: str) -> frozenset[str] | None:
    """The only values of label ``name`` for which all matchers hold; None when they are no short list."""
    own = [matcher for matcher in matchers if matcher.name == name]
    listed: frozenset[str] | None = None
    for matcher in own:
        if matcher.op is MatchOp.EQUAL:
            values = frozenset((matcher.value,))
        elif matcher.op is MatchOp.MATCHES and _LITERALS.fullmatch(matcher.value):
            values = frozenset(matcher.value.split("|"))
        else:
            continue
        listed = values if listed is None else listed & values
    if listed is None:
        return None
    return frozenset(value for value in listed if all(matcher.matches({name: value}) for matcher in own))


def contradictions(view: View) -> Iterator[Note]:
    """R102: matchers of one rule that cannot hold together."""
    for rule in view.policy.rules:
        for name in dict.fromkeys(matcher.name for matcher in rule.matchers):
            if possible_values(rule.matchers, name) == frozenset():
                own = " and ".join(str(matcher) for matcher in rule.matchers if matcher.name == name)
                text = f"rule '{rule.name}' can never match: {own} exclude each other; remove one of them"
                yield Note(at=view.spot("rules", rule.name, "match"), code="R102", message=text)


def rules_never_winning(view: View) -> Iterator[Note]:
    """R101: rules for which an earlier one always matches too.

    Sound, not complete: an earlier matcher counts as implied when the later rule has the same one, or
    lists the values of its label and all of them satisfy it.
    """
    earlier = _Earlier()
    for rule in view.policy.rules:
        names = {matcher.name for matcher in rule.matchers}
        values = {name: possible_values(rule.matchers, name) for name in names}
        winner = earlier.covering(rule, values)
        if winner is not None:
            at = view.spot("rules", rule.name)
            text = (
                f"rule '{rule.name}' can never win: '{winner.name}' at {winner.where} comes first and "
                "matches all that this one does; move this one before it, or narrow that one"
            )
            yield Note(at=at, code="R101", message=text)
        earlier.add(rule, values)


class _Earlier:
    """The rules seen so far, found by what they want of ``alertname``: nearly every rule wants something."""

    def __init__(self) -> None:
        self._by_value: dict[str, list[Rule]] = defaultdict(list)
        self._by_matcher: dict[Matcher, list[Rule]] = defaultdict(list)
        self._others: list[Rule] = []

    def add(self, rule: Rule, values: Mapping[str, frozenset[str] | None]) -> None:
        wanted = [matcher for matcher in rule.matchers if matcher.name == "alertname"]
        for value in values.get("alertname") or ():
            self._by_value[value].append(rule)
        if len(wanted) == 1:
            self._by_matcher[wanted[0]].append(rule)
        if not wanted or (values.get("alertname") is None):
            self._others.append(rule)

    def covering(self, rule: Rule, values: Mapping[str, frozenset[str] | None]) -> Rule | None:
        own = frozenset(rule.matchers)
        candidates = self._others[:MOST_COMPARED]
        for value in sorted(values.get("alertname") or ())[:1]:
            candidates += self._by_value.get(value, [])[:MOST_COMPARED]
        for matcher in rule.matchers:
            candidates += self._by_matcher.get(matcher, [])[:MOST_COMPARED]
        for candidate in candidates:
            if all(_implied(matcher, own, values) for matcher in candidate.matchers):
                return candidate
        return None


def _implied(matcher: Matcher, own: frozenset[Matcher], values: Mapping[str, frozenset[str] | None]) -> bool:
    if matcher in own:
        return True
    listed = values.get(matcher.name)
    return bool(listed) and all(matcher.matches({matcher.name: value}) for value in listed or ())


def unknown_services(view: View) -> Iterator[Note]:
    """R103: a rule with runbooks for a service that the catalog does not know: every change is blocked."""
    if not view.draft.whole:
        return
    known = view.draft.services.items
    for rule in view.policy.rules:
        if rule.runbooks and isinstance(rule.service, LabelTemplate) and rule.service.constant:
            name = rule.service.source.strip()
            if name not in known:
                text = f"service '{name}' is not in the catalog, so nothing is ever done; add it to services"
                yield Note(at=view.spot("rules", rule.name, "service"), code="R103", message=text)


def deadlines_too_short(view: View) -> Iterator[Note]:
    """S302: the page leaves before the runbooks of a rule can be proven."""
    for rule in view.policy.rules:
        severity = view.policy.severities.get(rule.severity)
        if severity is None or not isinstance(severity.page, PageUnlessVerified):
            continue
        if rule.mode is Mode.OBSERVE:
            continue  # nothing is done, so nothing is verified
        books = [view.policy.runbooks[name] for name in rule.runbooks if name in view.policy.runbooks]
        needed = sum(map(verification_window, books))
        if needed > severity.page.within:
            text = (
                f"verifying the runbooks of rule '{rule.name}' may take {format_duration(needed)}, but "
                f"{rule.severity} pages after {format_duration(severity.page.within)}; shorten within: of "
                "their checks, or give the severity more time"
            )
            yield Note(at=view.spot("rules", rule.name, "runbooks"), code="S302", message=text)


def verification_window(runbook: Runbook) -> int:
    """The longest it can take to know, in milliseconds: waits follow each other, checks go side by side."""
    waits = sum(step.wait.within for step in runbook.steps if step.wait is not None)
    return waits + max((check.within for check in runbook.verify), default=0)


def outside_namespaces(view: View) -> Iterator[Note]:
    """G401 and G402: changes that the guards will never allow."""
    allowed = view.policy.guards.namespaces
    acting = [rule for rule in view.policy.rules if rule.runbooks and rule.mode is not Mode.OBSERVE]
    if not allowed:
        for rule in acting:
            if rule.mode is Mode.AUTO and view.draft.whole:
                text = (
                    f"rule '{rule.name}' is auto, but guards.namespaces is empty, nothing is ever changed; "
                    "list the namespaces that may be touched"
                )
                yield Note(at=view.spot("rules", rule.name, "mode"), code="G402", message=text)
        return
    for name in dict.fromkeys(name for rule in acting for name in services_of(rule, view.policy)):
        service = view.policy.services.get(name)
        if service is not None and service.workload is not None and service.workload.namespace not in allowed:
            text = (
                f"rules act on service '{name}' in namespace '{service.workload.namespace}', which "
                "guards.namespaces does not list; add it there, or write mode: observe for these rules"
            )
            yield Note(at=view.spot("services", name), code="G401", message=text)


def services_of(rule: Rule, policy: Policy) -> tuple[str, ...]:
    """The catalog's services that a rule can select, as far as its matchers tell; else all of them."""
    template = rule.service
    if isinstance(template, LabelTemplate) and template.constant:
        return (template.source.strip(),)
    labels = sorted(template.labels) if isinstance(template, LabelTemplate) else list(SERVICE_LABELS[:1])
    listed = possible_values(rule.matchers, labels[0]) if len(labels) == 1 else None
    if not listed or "" in listed:
        return tuple(policy.services)
    return tuple(name for name in policy.services if name in listed)
