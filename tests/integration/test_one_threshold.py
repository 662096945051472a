"""Somebody changes one threshold of the default policies, and every tool says what that means.

For each threshold: ``test`` fails and names what is otherwise, ``backtest`` says what a day would have been,
``explain`` shows the new figure; and where nobody tests it any more, ``test --mutate`` names it. That it
names none of them otherwise is for tests/rehearsal/test_default_policies.py.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.integration.test_cli_check import ROOT, run

DAY = Path(__file__).with_name("one_threshold.jsonl")
"""A day of six incidents, as the archive keeps it. Each threshold below decides about one of them."""
SERVICE = 'alertname="ServiceDown",service="auth-service"'
LEAK = 'alertname="ContainerOOMKilled",namespace="fintech-services",container="account-service"'
DATABASE = 'alertname="PostgresDown",namespace="fintech-services",app="postgres"'
ERRORS = 'alertname="HighErrorRate",service="auth-service"'


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """What is changed, and what each tool says then.

    ``{p}`` is the directory of the changed policies, ``#`` stands for line and column.
    ``survives``: how ``--mutate`` names it, and what it proposes, once no test looks at it.
    """

    file: str
    old: str
    new: str
    test: tuple[str, ...]
    survives: tuple[str, str]
    backtest: tuple[str, ...]
    asked: str
    explain: str


THRESHOLDS = {
    "raise": Threshold(
        file="severities.yaml",
        old="raise: {to: SEV-1, after: 1h}",
        new="raise: {to: SEV-1, after: 30m}",
        test=(
            "FAILED {p}/services_test.yaml:#: after an hour it is SEV-1",
            "at T+59m: severity: expected SEV-2, seen SEV-1",
            "because raised from SEV-2 to SEV-1: still open after 30m, at T+30m; so says SEV-2 "
            "({p}/severities.yaml:#)",
            "SEV-2 ServiceDown on auth-service, by rule service-down",
        ),
        survives=("severities.yaml:#: severity SEV-2: raise after 1h -> 30m", "expect raised_to"),
        backtest=(
            "severity SEV-2: raise after 1h → 30m ({p}/severities.yaml:#)",
            "incidents raised sooner or further 1, later or not at all 0",
            "before: to SEV-1 at 10:00:00: still open after 1h; "
            "after: to SEV-1 at 09:30:00: still open after 30m",
        ),
        asked=SERVICE,
        explain="raise   to SEV-1: still open after 30m (says SEV-2), T+30m",
    ),
    "page": Threshold(
        file="severities.yaml",
        old="page: {unless_verified_within: 15m}",
        new="page: {unless_verified_within: 7m30s}",
        test=(
            "at T+9m: pages: expected oncall: 0, seen oncall: 1",
            "because oncall took level 1 at T+7m30s; the last one because not verified in time",
        ),
        survives=(
            "severities.yaml:#: severity SEV-2: unless_verified_within 15m -> 7m30s",
            "expect who has been paged for a SEV-2",
        ),
        backtest=(
            "severity SEV-2: page unless_verified_within 15m → 7m30s ({p}/severities.yaml:#)",
            "Incidents paged sooner\n  - SEV-2 on auth-service by service-down",
            "before: oncall at 11:10:00; after: oncall at 11:07:30",
        ),
        asked=SERVICE,
        explain="paged unless a fix is verified within 7m30s, respond within 1h",
    ),
    "acknowledge": Threshold(
        file="people.yaml",
        old="first\n    - {level: 1, channels: [oncall], acknowledge_within: 15m",
        new="first\n    - {level: 1, channels: [oncall], acknowledge_within: 30m",
        test=(
            "FAILED {p}/people_test.yaml:#: SEV-2, nobody answers",
            "at T+19m: pages: expected manager: 1, seen manager: 0",
            "level 2 is asked at T+30m unless somebody acknowledges; level 1 asks oncall",
        ),
        survives=(
            "people.yaml:#: escalation standard, level 1: acknowledge_within 15m -> 30m",
            "expect who has been paged just before 15m and just after",
        ),
        backtest=(
            "escalation standard: level 1 acknowledge_within 15m → 30m ({p}/people.yaml:#)",
            "Incidents paged later\n  - SEV-1 on billing by anything-down",
            "before: oncall at 09:00:00, manager at 09:15:00, vp at 09:20:00; "
            "after: oncall at 09:00:00, manager at 09:30:00, vp at 09:35:00",
        ),
        asked=SERVICE,
        explain="level 1 oncall (pagerduty): at T+15m at the latest; to acknowledge within 30m",
    ),
    "rate": Threshold(
        file="guards.yaml",
        old="service: 3/1h",
        new="service: 2/1h",
        test=(
            "one service is changed three times an hour, whatever the runbook",
            "because oncall took level 1 at T+22m; the last one because runbook replace-leaking-pod blocked: "
            "limits: changes of service analytics-service: 2 in the last 1h, at most 2 allowed, "
            "free again at T+1h",
            "because attempt 3 ended at T+22m: limits: changes of service analytics-service",
        ),
        survives=("guards.yaml:#: guards: rate.service 3 -> 2", "expect blocked_by: limits"),
        backtest=(
            "guards: rate service 3/1h → 2/1h ({p}/guards.yaml:#)",
            "attempts 7: blocked 1 → 2 (+1), failed 1, verified 5 → 4 (-1)",
            "replace-leaking-pod: verified; after: restart-service: verified, restart-service: verified, "
            "replace-leaking-pod: blocked",
            "changes of service analytics-service: 2 in the last 1h, at most 2 allowed",
        ),
        asked=SERVICE,
        explain="changes of service auth-service 2/1h",
    ),
    "hold": Threshold(
        file="rules-10-outages.yaml",
        old="hold: 30s",
        new="hold: 1m",
        test=(
            "at T+31s: rule: expected an incident of postgres, seen none",
            "because rule database-down holds it for 1m ({p}/rules-10-outages.yaml:#): "
            "it opens if it still fires at T+1m",
            "at T+31s: pages: expected oncall: 1, seen oncall: 0\n      because rule database-down holds it",
        ),
        survives=(
            "rules-10-outages.yaml:#: rule database-down: hold 30s -> 1m",
            "expect incidents: 0 just",
        ),
        backtest=(
            "rule database-down: hold 30s → 1m ({p}/rules-10-outages.yaml:#)",
            "Incidents lost\n  - SEV-1 on postgres by database-down",
        ),
        asked=DATABASE,
        explain="hold      opened only if it still fires after 1m",
    ),
    "cooldown": Threshold(
        file="runbooks.yaml",
        old="{attempts: 2, per: 6h, cooldown: 30m}",
        new="{attempts: 2, per: 6h, cooldown: 15m}",
        test=(
            "a leak that comes back within half an hour is a bug, and people hear of it",
            "at T+30m: blocked_by: expected limits, seen no guard blocked",
        ),
        survives=(
            "runbooks.yaml:#: runbook replace-leaking-pod: limits: cooldown 30m -> 15m",
            "let the alert resolve and fire again until an attempt is blocked",
        ),
        backtest=(
            "runbook replace-leaking-pod: limits cooldown 30m → 15m ({p}/runbooks.yaml:#)",
            "Incidents with fewer pages\n  - SEV-2 on account-service by memory-exhausted",
            "before: oncall at 14:20:00; after: none",
        ),
        asked=LEAK,
        explain="limits  at most 2 attempts in 6h, 15m between two",
    ),
    "share": Threshold(
        file="rules-20-services.yaml",
        old="above: 0.25",
        new="above: 0.5",
        test=(
            "a quarter of the requests failing is SEV-1",
            "rule high-error-rate won ({p}/rules-20-services.yaml:#) and says SEV-2",
            "rule high-error-rate ({p}/rules-20-services.yaml:#) does not raise it: sum(rate(",
            " is 0.26, not above 0.5",
        ),
        survives=(
            "rules-20-services.yaml:#: rule high-error-rate: raise above 0.25 -> 0.5",
            "give the query a value near the bound",
        ),
        backtest=(  # no record of alerts knows what a query gave
            "nothing changes over this record",
            "rule high-error-rate: raise when above 0.25 → 0.5 ({p}/rules-20-services.yaml:#)",
        ),
        asked=ERRORS,
        explain="above 0.5 (says rule high-error-rate)",
    ),
}
SHIPPED = ROOT / "policies"


class Desk:
    """Copies of the default policies with one threshold changed, and what ``test`` says of each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tested: dict[str, CompletedProcess[str]] = {}

    def policies(self, name: str) -> Path:
        """The copy in which that threshold is changed."""
        copy = self._folder / name
        if not copy.exists():
            shutil.copytree(SHIPPED, copy)
            each = THRESHOLDS[name]
            text = (copy / each.file).read_text()
            assert text.count(each.old) == 1
            (copy / each.file).write_text(text.replace(each.old, each.new))
        return copy

    def tested(self, name: str) -> CompletedProcess[str]:
        """What its tests say; they run once."""
        if name not in self._tested:
            self._tested[name] = run("test", self.policies(name))
        return self._tested[name]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


PLACE = re.compile(r"(?<=\.yaml):[0-9]+:[0-9]+")


def says(said: str, told: str, policies: Path) -> None:
    assert said.replace("{p}", str(policies)) in PLACE.sub(":#", told), told


@pytest.mark.parametrize("name", THRESHOLDS)
def test_a_test_fails_and_says_what_is_expected_what_is_seen_and_why(desk: Desk, name: str) -> None:
    done = desk.tested(name)
    assert (done.returncode, done.stderr) == (1, "")
    for said in THRESHOLDS[name].test:
        says(said, done.stdout, desk.policies(name))


@pytest.mark.parametrize("name", THRESHOLDS)
def test_a_backtest_says_what_was_changed_and_what_the_day_would_have_been(desk: Desk, name: str) -> None:
    done = run("backtest", SHIPPED, "--against", desk.policies(name), "--alerts", DAY)
    assert (done.returncode, done.stderr) == (0, "")
    for said in THRESHOLDS[name].backtest:
        says(said, done.stdout, desk.policies(name))
    [section] = [part for part in done.stdout.split("\n\n") if part.startswith("What the candidate says")]
    assert len(section.splitlines()) == 2, "one threshold is one line"


@pytest.mark.parametrize("name", THRESHOLDS)
def test_explain_shows_the_figure_that_holds_now(desk: Desk, name: str) -> None:
    each = THRESHOLDS[name]
    done = run("explain", desk.policies(name), "--labels", each.asked)
    assert (done.returncode, done.stderr) == (0, "")
    assert each.explain in done.stdout


# --- test --mutate ------------------------------------------------------------------------------------


FAILED = re.compile(r"^FAILED .*/([^/]+_test\.yaml):([0-9]+):[0-9]+: ", re.MULTILINE)
"""A test that fails: its file and line."""


def without(policies: Path, tests: Iterable[tuple[str, str]]) -> None:
    """Take tests, by file and line, out of the files."""
    gone = set(tests)
    for file in policies.glob("*_test.yaml"):
        kept, leaving = [], False
        for number, line in enumerate(file.read_text().splitlines(keepends=True), 1):
            if line.startswith("  - name: "):
                leaving = (file.name, str(number)) in gone
            kept += [] if leaving else [line]
        file.write_text("".join(kept))


@pytest.fixture(scope="module")
def untested(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What ``--mutate`` says of the default policies when every test has gone that notices a threshold."""
    copy = Path(shutil.copytree(SHIPPED, tmp_path_factory.mktemp("untested") / "policies"))
    without(copy, [found for name in THRESHOLDS for found in FAILED.findall(desk.tested(name).stdout)])
    done = run("test", copy, "--mutate")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.replace(f"{copy}/", "")


@pytest.mark.parametrize("name", THRESHOLDS)
def test_a_threshold_that_no_test_looks_at_is_named_with_a_way_to_notice_it(name: str, untested: str) -> None:
    survivor, hint = THRESHOLDS[name].survives
    lines = PLACE.sub(":#", untested).splitlines()
    [found] = [number for number, line in enumerate(lines) if line == f"{survivor}: no test notices"]
    assert hint in lines[found + 1]
