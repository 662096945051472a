"""When the check of endpoints holds; and how policies write what looks at a cluster."""

from __future__ import annotations

import pytest

from remediator.checks import CHECKS
from remediator.core.cluster import Endpoints
from remediator.core.errors import NotFound, RemediatorError, Retryable
from remediator.core.plugins import Sight
from remediator.diagnoses import DIAGNOSES
from remediator.policy.findings import Level
from remediator.policy.load import Loaded, read_policies
from tests.core.looking import WEB, Cluster


@pytest.mark.parametrize(
    ("behind", "params", "holds", "observed"),
    [
        (Endpoints(ready=1, not_ready=2), {}, True, "1 addresses ready behind service web, 2 not ready"),
        (Endpoints(ready=0, not_ready=3), {}, False, "0 addresses ready"),
        (Endpoints(ready=2, not_ready=0), {"at_least": 3}, False, "at least 3 wanted"),
        (Endpoints(ready=3, not_ready=0), {"at_least": 3, "service": "front"}, True, "behind service front"),
        (NotFound("endpoints web not found"), {}, None, "unknown: endpoints web not found"),
        (Retryable("no answer within 10.0 s"), {}, None, "no answer"),
    ],
)
async def test_endpoints_hold_when_enough_are_ready(
    behind: Endpoints | RemediatorError, params: dict[str, object], holds: bool | None, observed: str
) -> None:
    """What cannot be found out, a Service that is not there included, is unknown and never failed."""
    check, cluster = CHECKS["endpoints"], Cluster(behind=behind)
    result = await check.ask(
        check.params.model_validate(params), Sight(cluster=cluster, target=WEB, firing=0)
    )
    assert result.holds is holds
    assert observed in result.observed
    assert cluster.asked == [f"shop/{params.get('service', 'web')}"]


@pytest.mark.parametrize(
    "sight", [Sight(cluster=None, target=WEB, firing=0), Sight(cluster=Cluster(), target=None, firing=0)]
)
async def test_endpoints_of_nothing_are_unknown(sight: Sight) -> None:
    """No cluster, or no workload."""
    check = CHECKS["endpoints"]
    assert (await check.ask(check.params.model_validate({}), sight)).holds is None


POLICY = """runbooks:
  look:
    diagnose:
      - logs: {LOGS}
    steps: [restart: {}]
    verify: [alert: {}, endpoints: {CHECK}]
severities: {SEV-1: {}}
"""


def read(logs: str = "", check: str = "") -> Loaded:
    """A policy with these parameters."""
    return read_policies({"p.yaml": POLICY.replace("LOGS", logs).replace("CHECK", check)})


def errors(logs: str = "", check: str = "") -> list[str]:
    """What is wrong with it, without the file's name."""
    found = read(logs, check).findings
    return [str(one).removeprefix("p.yaml:") for one in found if one.level is Level.ERROR]


@pytest.mark.parametrize(
    ("logs", "place", "told"),
    [
        ("match: 'error|(?=x)'", "4:30", "'error|(?=x)' is not a regular expression that RE2 knows"),
        ("match: 'a**'", "4:25", "bad repetition operator: **"),
        ("tail: 501", "4:22", "out of range"),
        ("tail: 0", "4:22", "out of range"),
        ("previous: maybe", "4:26", "'maybe' is not possible here; write true, false or auto"),
        ("previous: 1", "4:26", "write true, false or auto"),
        ("container: ../x", "4:27", "'../x' is not a name in Kubernetes"),
        ("match: '{M}'".replace("{M}", "x" * 1001), "4:24", "is longer than 1000 characters"),
    ],
)
def test_what_logs_does_not_take_is_refused_at_its_place(logs: str, place: str, told: str) -> None:
    """When the policy is loaded, with what to write instead; one finding each."""
    [found] = errors(logs)
    assert found.startswith(f"{place}: ")
    assert told in found


def test_what_a_policy_says_arrives() -> None:
    """As parameters that the plugins take again."""
    good = "match: 'error|panic', tail: 500, container: web, previous: true"
    policy = read(good, "service: front, at_least: 2, for: 30s").policy
    assert policy is not None
    runbook = policy.runbooks["look"]
    [wanted] = runbook.diagnose
    assert DIAGNOSES["logs"].params.model_validate(dict(wanted.params)).model_dump() == {
        "match": "error|panic",
        "tail": 500,
        "container": "web",
        "previous": True,
    }
    check = runbook.verify[1]
    assert dict(check.params) == {"service": "front", "at_least": 2}


@pytest.mark.parametrize("check", ["at_least: 0", "service: Front", "at_leest: 2"])
def test_what_endpoints_does_not_take_is_refused(check: str) -> None:
    """A check that could not fail is none."""
    assert len(errors(check=check)) == 1


def test_endpoints_alone_prove_nothing() -> None:
    """A restart makes pods ready whatever is wrong with what they do: the linter warns."""
    alone = POLICY.replace("alert: {}, ", "").replace("LOGS", "").replace("CHECK", "")
    assert "B203" in {one.code for one in read_policies({"p.yaml": alone}).findings}
    assert "B203" not in {one.code for one in read().findings}
