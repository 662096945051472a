"""Lints that ask Prometheus: whether what the policies rely on is there. ``check --live`` runs them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from remediator.core.errors import RemediatorError, Retryable
from remediator.core.lag import AlertingRule, lag_of, lags
from remediator.core.policies import Check, PageUnlessVerified, QueryBound, Rule, Runbook, Scope
from remediator.core.templated import Escape
from remediator.core.text import plain
from remediator.core.times import format_duration
from remediator.policy.findings import Spot, suggestion
from remediator.policy.lint_view import Note, View
from remediator.policy.nodes import Scalar
from remediator.policy.placing import compile_placed
from remediator.policy.rendering import values_of
from remediator.policy.shapes import possible_values
from remediator.policy.templates import TemplateRefused

MOST_SERVICES = 10
"""Of the catalog, for which one template is tried."""
MOST_QUERIES = 500
"""In one run."""
SHOWN = 3


class PrometheusApi(Protocol):
    """What is asked of Prometheus. Raises Refused and Retryable."""

    async def query(self, promql: str) -> tuple[tuple[Mapping[str, str], float], ...]:
        """The samples of an instant query."""

    async def alerting_rules(self) -> tuple[AlertingRule, ...]:
        """Every alerting rule that it knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A query as written, and as rendered for each service. ``may_be_empty``: no series is an answer, too."""

    at: Spot
    rendered: Mapping[str, str]
    may_be_empty: bool = False


async def ask_prometheus(view: View, api: PrometheusApi) -> tuple[Note, ...]:
    """L900 to L906. When Prometheus cannot be asked at all, that is the only finding."""
    try:
        await api.query("vector(1)")
        known = await api.alerting_rules()
    except RemediatorError as error:
        return (Note(at=beginning(view), code="L900", message=plain(f"nothing was asked: {error}", 400)),)
    asked, left_out = _bounded(queries(view))
    answers = await asyncio.gather(*(_try(each, api) for each in asked))
    notes = [note for notes in answers for note in notes]
    return (*notes, *_not_asked(left_out), *alert_names(view, known), *timings(view, known))


def beginning(view: View) -> Spot:
    """Where something stands that is of no single place: the first of the files."""
    return Spot(path=view.draft.documents[0].at.path if view.draft.documents else ".")


def cluster_unknown(view: View, error: RemediatorError) -> Note:
    """L910: it cannot be known which permissions are lacking."""
    text = plain(f"the cluster does not tell what we may do: {error}", 400)
    return Note(at=beginning(view), code="L910", message=text)


def _bounded(asked: Iterable[Asked]) -> tuple[list[Asked], list[Asked]]:
    """Those that are asked, and those for which there is no room any more."""
    taken: list[Asked] = []
    left_out: list[Asked] = []
    room = MOST_QUERIES
    for each in asked:
        room -= len(each.rendered)
        (taken if room >= 0 else left_out).append(each)
    return taken, left_out


def _not_asked(left_out: list[Asked]) -> Iterator[Note]:
    if left_out:
        number = f"this query and {len(left_out) - 1} others are" if len(left_out) > 1 else "this query is"
        text = f"{number} not asked: one run asks {MOST_QUERIES} at most; check a part of the files by itself"
        yield Note(at=left_out[0].at, code="L906", message=text)


async def _try(asked: Asked, api: PrometheusApi) -> list[Note]:
    empty: list[str] = []
    for service, query in asked.rendered.items():
        try:
            if not await api.query(query) and not asked.may_be_empty:
                empty.append(service)
        except RemediatorError as error:
            code = "L900" if isinstance(error, Retryable) else "L902"
            return [Note(at=asked.at, code=code, message=plain(f"{error}{_for([service])}", 400))]
    if not empty:
        return []
    text = (
        f"the query gives no series now{_for(empty)}; look at names and labels in it, or at what is scraped"
    )
    return [Note(at=asked.at, code="L901", message=text)]


def _for(services: list[str]) -> str:
    named = [service for service in services if service]
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return f" for {', '.join(named[:SHOWN])}{more}" if named else ""


def queries(view: View) -> Iterator[Asked]:
    """Every query that the policies hold, each rendered for the services that it can be asked for."""
    for name, runbook in view.policy.runbooks.items():
        rules = view.rules_of.get(name, ())
        for keys, query, may_be_empty in _in_runbook(runbook):
            at = view.spot("runbooks", name, *keys)
            yield Asked(
                at=at, rendered=_rendered(view, query, _incidents(view, rules)), may_be_empty=may_be_empty
            )
    for rule in view.policy.rules:
        for number, each in enumerate(rule.raises):
            if isinstance(each.when, QueryBound):
                at = _condition(view, ("rules", rule.name), number)
                yield Asked(at=at, rendered=_rendered(view, each.when.promql, _incidents(view, (rule,))))
    for name, severity in view.policy.severities.items():
        rules = tuple(rule for rule in view.policy.rules if rule.severity == name)
        for number, each in enumerate(severity.raises):
            if isinstance(each.when, QueryBound):
                at = _condition(view, ("severities", name), number)
                yield Asked(at=at, rendered=_rendered(view, each.when.promql, _incidents(view, rules)))
    anyhow = next(iter(view.policy.severities), "")  # what a service promises depends on none
    for name in view.policy.services:
        errors = view.node("services", name, "slo", "errors")
        if isinstance(errors, Scalar):
            yield Asked(at=errors.at, rendered=_rendered(view, errors.text, [(name, anyhow)]))


def _in_runbook(runbook: Runbook) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    checks: list[tuple[tuple[str, ...], Check]] = [
        (("verify", str(number), "promql"), check) for number, check in enumerate(runbook.verify)
    ]
    checks += [
        (("steps", str(number), *keys, "promql"), check)
        for number, step in enumerate(runbook.steps)
        for keys, check in ((("when",), step.when), (("wait", "for"), step.wait))
        if check is not None
    ]
    for keys, check in checks:
        if check.check == "promql":
            yield (*keys, "query"), str(check.params["query"]), "absent" in check.params
    for number, look in enumerate(runbook.diagnose):
        if look.diagnosis == "promql":
            yield ("diagnose", str(number), "promql", "query"), str(look.params["query"]), False


def _condition(view: View, holder: tuple[str, str], number: int) -> Spot:
    """Where the query of a raise stands: ``raise`` may be a list or a single one."""
    keys = ("raise", str(number)) if view.node(*holder, "raise", str(number)) else ("raise",)
    return view.spot(*holder, *keys, "when", "promql")


def _incidents(view: View, rules: Iterable[Rule]) -> Iterator[tuple[str, str]]:
    """The services of the catalog that incidents of the rules can be about, each with a severity."""
    for rule in rules:
        for name in view.selection(rule).names:
            yield name, rule.severity


def _rendered(view: View, source: str, incidents: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """The query by the service that it is asked for; nothing when no service of the catalog can use it."""
    try:
        template = compile_placed(source, Escape.PROMQL)
    except TemplateRefused:
        return {}
    if not template.reads:
        return {"": source}
    found: dict[str, str] = {}
    for name, severity in incidents:
        if len(found) >= MOST_SERVICES:
            return found
        entry = view.policy.services[name]
        scope = Scope(incident="2026-01-01-0000-live", severity=severity, service=name, entry=entry)
        try:
            found.setdefault(name, template.render(values_of(scope)))
        except TemplateRefused:
            continue  # an attempt would be blocked and say why
    return found


def alert_names(view: View, known: Iterable[AlertingRule]) -> Iterator[Note]:
    """L903: a rule whose alerts no alerting rule of this Prometheus makes."""
    names = {each.name for each in known}
    for rule in view.policy.rules:
        wanted = possible_values(rule.matchers, "alertname")
        if wanted and names.isdisjoint(wanted):
            shown = " or ".join(f"'{plain(name, 60)}'" for name in sorted(wanted)[:SHOWN])
            hint = suggestion(min(wanted), names, otherwise="it has, for instance: ")
            text = (
                f"no alerting rule of Prometheus is named {shown}: rule '{rule.name}' may never match; {hint}"
            )
            yield Note(at=view.spot("rules", rule.name, "match"), code="L903", message=text)


def timings(view: View, known: Iterable[AlertingRule]) -> Iterator[Note]:
    """L904 and L905: what a runbook and its rules wait for, against what their alerts wait for themselves."""
    by_name: dict[str, list[AlertingRule]] = defaultdict(list)
    for each in known:
        by_name[each.name].append(each)
    for name, runbook in view.policy.runbooks.items():
        alerts = [
            alert
            for rule in view.rules_of.get(name, ())
            for wanted in sorted(possible_values(rule.matchers, "alertname") or ())
            for alert in by_name.get(wanted, ())
        ]
        if not alerts:
            continue
        yield from _paged_first(view, runbook, by_name)
        slowest = max(alerts, key=lambda each: each.waits)
        if slowest.waits > runbook.limits.cooldown:
            text = (
                f"the cooldown of {format_duration(runbook.limits.cooldown)} is over before {slowest.name} "
                f"can fire again: Prometheus waits {format_duration(slowest.waits)} first (for:); make it "
                "longer"
            )
            written = ["limits", "cooldown"] if view.node("runbooks", name, "limits", "cooldown") else []
            yield Note(at=view.spot("runbooks", name, *written), code="L905", message=text)


def _paged_first(view: View, runbook: Runbook, by_name: Mapping[str, list[AlertingRule]]) -> Iterator[Note]:
    """People are paged while a verification still waits for the alert's own rule."""
    if not lags(runbook.verify):
        return
    for rule in view.rules_of.get(runbook.name, ()):
        severity = view.policy.severities.get(rule.severity)
        page = severity.page if severity is not None else None
        names = possible_values(rule.matchers, "alertname") or ()
        alerts = [alert for name in sorted(names) for alert in by_name.get(name, ())]
        slowest = max(alerts, key=lag_of, default=None)
        if slowest is None or not isinstance(page, PageUnlessVerified) or lag_of(slowest) < page.within:
            continue
        text = (
            f"people are paged after {format_duration(page.within)} (severity '{rule.severity}'), and "
            f"runbook '{runbook.name}' can prove nothing before {format_duration(lag_of(slowest))}: so long "
            f"{plain(slowest.name, 60)} takes to notice (for, keep_firing_for); page later, or verify by "
            "something else"
        )
        yield Note(at=view.spot("rules", rule.name, "severity"), code="L904", message=text)
