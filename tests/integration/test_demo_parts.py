"""The parts of the demo that its two scenes do not show: what it would say if they ended otherwise."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from remediator.core.errors import SettingsError
from remediator.policy.load import read_policies
from remediator.testing.demo.closing import summary
from remediator.testing.demo.daemon import clean_environment
from remediator.testing.demo.ending import Ending, differences
from remediator.testing.demo.narrator import Line, Narrator
from remediator.testing.demo.run import INTERRUPTED, Outcome
from remediator.testing.demo.stage import LONGEST_FOLDER, POLICIES, check_length

HEALED = Ending(
    id="2026-11-25-0221-notification-service",
    service="notification-service",
    severity="SEV-2",
    status="resolved",
    attempts=(("restart-service", "verified"),),
    restarts=1,
    paged=(),
    acknowledged_by=None,
    mitigated_after=6.2,
)
BROKEN = Ending(
    id="2026-11-25-0221-auth-service",
    service="auth-service",
    severity="SEV-2",
    status="escalated",
    attempts=(("restart-service", "failed"),),
    restarts=1,
    paged=("oncall", "manager"),
    acknowledged_by="manager",
    mitigated_after=None,
)


def test_the_wanted_ending_has_no_differences() -> None:
    assert differences([HEALED, BROKEN]) == []
    assert Outcome(trouble=[]).code == 0


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"status": "open"}, "status is 'open', and should be 'resolved'"),
        ({"restarts": 2}, "restarts is 2, and should be 1"),
        ({"paged": ("oncall",)}, "paged is ('oncall',), and should be ()"),
        ({"attempts": ()}, "attempts is (), and should be (('restart-service', 'verified'),)"),
        ({"mitigated_after": None}, "no fix was verified"),
    ],
)
def test_whatever_else_became_of_the_first_incident_is_told(changed: dict[str, Any], told: str) -> None:
    found = differences([replace(HEALED, **changed), BROKEN])
    assert found == [f"notification-service: {told}"]
    assert Outcome(trouble=found).code == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "resolved"},
        {"restarts": 0},
        {"paged": ("oncall", "manager", "manager")},
        {"paged": ("oncall",)},
        {"acknowledged_by": None},
        {"mitigated_after": 3.0},
    ],
)
def test_whatever_else_became_of_the_second_incident_is_told(changed: dict[str, Any]) -> None:
    [found] = differences([HEALED, replace(BROKEN, **changed)])
    assert found.startswith(f"auth-service: {next(iter(changed))} is ")


def test_an_incident_that_is_missing_or_too_much_is_told() -> None:
    assert differences([HEALED]) == ["auth-service: there is no incident"]
    third = replace(HEALED, service="postgres")
    assert differences([HEALED, BROKEN, third]) == ["postgres: there should be no incident"]


def test_what_was_cut_short_is_no_success() -> None:
    assert Outcome().code == INTERRUPTED


def test_the_daemon_hears_nothing_of_the_users_own_store_cluster_pager_or_proxy() -> None:
    own = {
        "REMEDIATOR_REDIS_URL": "redis://production",
        "PAGERDUTY_ROUTING_KEY": "real",
        "KUBECONFIG": "/home/me/.kube/config",
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "SSL_CERT_DIR": "/etc/ssl",
        "HTTPS_PROXY": "http://proxy",
        "no_proxy": "localhost",
    }
    assert clean_environment({**own, "PATH": "/bin", "LANG": "C.UTF-8"}) == {
        "PATH": "/bin",
        "LANG": "C.UTF-8",
    }


def test_a_folder_too_long_for_a_socket_is_refused_with_what_to_do() -> None:
    check_length(Path("/tmp/remediator-demo-12345678"))
    with pytest.raises(SettingsError, match="TMPDIR=/tmp remediator demo"):
        check_length(Path("/tmp") / ("x" * LONGEST_FOLDER))


def test_its_policies_are_an_example_without_findings() -> None:
    loaded = read_policies(POLICIES)
    assert loaded.findings == ()
    assert loaded.policy is not None


TEXT = "not verified in 12s: rollout: 1 of 2 pods updated, 0 available, 2 old ones left; ready: 0 of 2"


@pytest.mark.parametrize("width", [30, 60, 89, 90, 200])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_lost(width: int) -> None:
    out = io.StringIO()
    narrator = Narrator(Console(file=out, force_terminal=True, color_system=None, width=width))
    narrator.say(TEXT)
    narrator.line(Line(at=0.0, who="auth-service", what="failed", text=TEXT))
    narrator.table(summary([HEALED, BROKEN]))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert max(map(len, lines)) <= width
    assert out.getvalue().split()[: len(TEXT.split())] == TEXT.split()
    assert " ".join(TEXT.split()) in " ".join(" ".join(lines).split()).partition(TEXT)[2]


def test_into_a_pipe_a_line_is_a_line() -> None:
    out = io.StringIO()
    narrator = Narrator(Console(file=out, width=20))
    narrator.line(Line(at=0.0, who="auth-service", what="failed", text=TEXT * 3))
    assert out.getvalue() == f"T+ 0.0s  {'auth-service':<20}  {'failed':<15}  {TEXT * 3}\n"
