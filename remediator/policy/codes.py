"""Every code a finding can have: how bad it is, and what is wrong, in one line.

A new code is a line here and a section in ``docs/findings.md``; ``scripts/findings.py`` writes that page's
table from this one and refuses a code without a section, and a section without a code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from remediator.policy.findings import Level

PAGE = "docs/findings.md"
"""The page that explains the codes, in the project's repository: a heading for each. It is told as this path,
because the project has no public address."""


class Stage(Enum):
    """What must have been looked at before a finding can be told.

    ``FILES``: the policy files, which is enough for the daemon; ``TESTS``: the tests beside them;
    ``WORLD``: the servers that ``check --live`` asks.
    """

    FILES = "files"
    TESTS = "tests"
    WORLD = "world"


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """One kind of finding. ``level``: its usual one; a few are told as something else at some places."""

    name: str
    level: Level
    title: str
    stage: Stage = Stage.FILES

    @property
    def page(self) -> str:
        """Where it is explained: a path in the project's repository, and a heading there."""
        return f"{PAGE}#{self.name.lower()}"


def _codes(level: Level, titles: dict[str, str], stage: Stage = Stage.FILES) -> Iterable[Code]:
    return (Code(name=name, level=level, title=title, stage=stage) for name, title in titles.items())


_READING = {
    "P000": "there are more than 500 findings of a level; the rest is left out",
    "P001": "a file cannot be read, is too large, is not UTF-8, or there is none",
    "P002": "not valid YAML, control characters, or a tag",
    "P003": "too deep, too long a line, too many values, too large expressions, or a lost alias",
    "P004": "a key stands twice in a mapping",
    "P005": "a name, `guards` or `operator` is defined twice",
    "P010": "unknown key or section",
    "P012": "something is missing",
    "P013": "wrong type or value",
    "P014": "not a duration",
    "P015": "not a matcher",
    "P016": "not a template, or one that reads what it may not see",
    "P017": "a name that is not defined",
    "P018": "a name that is not allowed",
    "P019": "a secret in a policy file",
    "P020": "a query that Prometheus would not understand; in the words of its parser",
    "P021": "not a regular expression that RE2 knows",
    "P022": "not a time, day, month, year or time zone, or a range that ends before it begins",
    "P023": "not a schedule",
    "P024": "an `effect` that claims less than the action's own",
    "P025": "not a quantity of Kubernetes",
    "P026": "not the reference of an image",
    "P027": "a `raise` that leads to nothing more severe",
}
_ERRORS = {
    "B202": "a runbook without `verify`",
    "B204": "a check must hold for longer than it is waited for",
    "S301": "a severity pages but names no escalation",
    "C501": "services depend on each other in a cycle; told at each",
}
_WARNINGS = {
    "R101": "a rule can never win: an earlier one matches all that it does",
    "R102": "the matchers of a rule exclude each other",
    "R103": "a rule has runbooks for services that are not in the catalog",
    "R106": "a matcher that everything satisfies",
    "R107": "a matcher or a runbook stands twice in a rule",
    "R108": "a matcher compares literally with what looks like a regular expression",
    "R109": "a rule holds back for longer than people may take to answer",
    "R111": "a raise that never happens: another one comes first",
    "R112": "a rule acts on services that have no workload",
    "R114": "a rule waits for approval, and nobody hears of it",
    "R113": "a rule with a `target` whose `group_by` leaves it out",
    "R115": "a rule brings actions on nodes to what is none, or others to a node",
    "R116": "a check that a node cannot be asked, in a runbook for one",
    "B201": "a runbook is never used",
    "B203": "a runbook is verified only by what its own steps control, or by another service",
    "B205": "`http` names a host that is no `health` URL's: it is never asked",
    "B206": "`http` asks the service's `health`, but no service that the runbook is for has one",
    "B210": "`undo` is asked for, but no step has an inverse",
    "B211": "what looks like a secret among the words of a command or a request",
    "B212": "a step that is meant only when no alert fires, and so is never performed",
    "B213": "a runbook that only silences alerts",
    "B214": "`dependencies` is asked for, but no service that the runbook is for depends on anything",
    "B215": "`dependencies` is asked for, but something that a service depends on cannot be seen",
    "S302": "the page leaves before the runbooks of a rule can be verified",
    "S304": "an escalation cannot reach everybody within the response time",
    "S305": "a severity promises to be resolved before it promises to be answered",
    "G401": "rules act on a service or a target outside `guards.namespaces`",
    "G402": "a rule may act while `guards.namespaces` is empty",
    "G403": "a rule acts on nothing but protected workloads",
    "G404": "`protect` names a workload that is nearly one of the catalog",
    "G405": "`max_unavailable` allows nothing, or everything",
    "G421": "a time interval that no day of the calendar is in",
    "G422": "`freeze` never ends: nothing is ever changed",
    "G425": "a runbook may be performed only while a freeze holds",
    "E601": "an escalation never climbs past a level by itself",
    "C502": "two services have one workload",
    "K951": "a finding is silenced without a reason",
    "K952": "a comment silences nothing",
    "K953": "a comment that was to silence something is not understood",
    "K954": "an error is to be silenced",
}
_NOTICES = {
    "R104": "a rule that tells nobody and does nothing",
    "R105": "a rule has a mode but no runbooks",
    "B207": "a check that holds at once after a restart",
    "B208": "a cooldown that is over before the outage can come back",
    "B209": "attempts that are never used up",
    "S303": "a severity that no rule uses",
    "G406": "a rate that another one never lets be reached",
    "G407": "`error_budget` is asked for, and no service has an `slo`",
    "G423": "a time interval is never used",
    "G424": "a time interval in the zone of whichever machine reads it",
    "E602": "an escalation is never used",
    "E603": "a channel is never used",
    "E604": "a time to acknowledge at the last level",
    "C503": "a service that no rule can select",
}
_UNSUPPORTED = {
    "N712": "`pages`: every page is sent by itself",
    "N713": "`channels` of a severity or a rule: nothing is written there",
    "N714": "`war_room`: nobody is invited",
    "N715": "`customers: allow`: customers are told nothing",
    "N716": "`postmortem_within`: nobody is reminded",
    "N717": "`milestones`: nobody is reminded",
    "N719": "a kind of channel that cannot be sent to",
    "N720": "`templates`: nothing is written from them",
    "N721": "`heartbeat`: nobody is paged when it stops",
    "N722": "`drills`: none is made",
}
_TESTS = {"R110": "a rule acts by itself, and no test fires an alert that it wins"}
_LIVE = {
    "L901": "a query gives nothing in Prometheus",
    "L903": "no alerting rule of Prometheus has that name",
    "L911": "the daemon lacks permissions that a rule needs, and would only observe for it",
    "L904": "people are paged before the alert can show that it was fixed",
}
_LIVE_NOTICES = {
    "L905": "a cooldown that is over before Prometheus can let the alert fire again",
    "L906": "queries that are not asked, because there are too many",
}
_LIVE_ERRORS = {
    "L900": "Prometheus cannot be asked",
    "L902": "Prometheus refuses a query",
    "L910": "the cluster does not tell what the daemon may do",
}

CODES: dict[str, Code] = {
    code.name: code
    for group in (
        _codes(Level.ERROR, _READING),
        _codes(Level.ERROR, _ERRORS),
        _codes(Level.WARNING, _WARNINGS),
        _codes(Level.NOTICE, _NOTICES),
        _codes(Level.NOTICE, _UNSUPPORTED),
        _codes(Level.WARNING, _TESTS, Stage.TESTS),
        _codes(Level.WARNING, _LIVE, Stage.WORLD),
        _codes(Level.NOTICE, _LIVE_NOTICES, Stage.WORLD),
        _codes(Level.ERROR, _LIVE_ERRORS, Stage.WORLD),
    )
    for code in sorted(group, key=lambda each: each.name)
}


def level_of(code: str) -> Level:
    """Its usual level."""
    known = CODES.get(code)
    return Level.WARNING if known is None else known.level
