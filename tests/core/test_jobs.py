"""``job`` and the check that settles it: what is planned, what is seen, and what is told of a failure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.actions import ACTIONS
from remediator.checks import CHECKS, SETTLING
from remediator.core.changes import RunJob
from remediator.core.cluster import IGNORE_ANNOTATION, Pod, Snapshot
from remediator.core.disruption import healthy_taken
from remediator.core.errors import Refused, Retryable
from remediator.core.incident import EffectId
from remediator.core.jobs import CronJob, Job, JobEnd, job_name
from remediator.core.journal import CheckResult
from remediator.core.objects import ObjectRef
from remediator.core.plugins import Sight, settling_of
from remediator.core.times import MINUTE, SECOND, Instant
from remediator.policy.diffs import diff_changes
from remediator.policy.lint_runbooks import verification_window
from remediator.policy.load import load_policy, read_policies
from tests.core.builders import NOW, WEB
from tests.core.explaining import of_labels
from tests.core.looking import WORKLOAD, Cluster

ACTION = ACTIONS["job"]
PARAMS = ACTION.params.model_validate({"from": "tidy", "timeout": "5m"})
TIDY = CronJob(name="tidy", uid="c-1", generation=3)
STEP = EffectId("2026-11-23-0213-web/1/0")
RAN = Job(ref=ObjectRef(kind="job", namespace="shop", name="tidy-0123456789"), uid="j-1", begun=True)


def planned(cron_job: CronJob | None = TIDY) -> RunJob:
    [change] = ACTION.plan(PARAMS, Snapshot(workload=WORKLOAD, cron_job=cron_job), at=NOW)
    assert isinstance(change, RunJob)
    return change


def test_it_plans_the_very_cron_job_that_was_seen() -> None:
    """By its UID and the generation of its specification: its status changes all the time."""
    change = planned()
    assert (change.source, change.source_uid, change.generation) == ("tidy", "c-1", 3)
    assert str(change) == "run cronjob/tidy once, for 5m at most"
    assert planned(replace(TIDY, suspended=True)) == change, "what it does by itself does not matter"
    assert healthy_taken([change], WORKLOAD, ()) == 0
    [line] = diff_changes([change], Snapshot(workload=WORKLOAD, cron_job=TIDY))
    assert line == "+ a job from cronjob/tidy (its generation 3), for 5m at most"


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (None, "was not read"),
        (replace(TIDY, annotations={IGNORE_ANNOTATION: ""}), f"carries the annotation {IGNORE_ANNOTATION}"),
        (replace(TIDY, asleep=True), "makes its jobs suspended"),
    ],
)
def test_what_must_not_be_run_is_refused(seen: CronJob | None, why: str) -> None:
    with pytest.raises(Refused, match=why):
        planned(seen)


def test_a_name_follows_from_the_step_and_can_be_a_label() -> None:
    """The same every time, another for another step, at most 63 characters however long the source's."""
    assert job_name("tidy", STEP) == job_name("tidy", STEP) != job_name("tidy", EffectId(f"{STEP}1"))
    long = job_name("a" * 51 + "-" + "b" * 20, STEP)
    assert len(long) <= 63
    assert "--" not in long
    check = settling_of(ACTION, {"from": "tidy", "timeout": "5m"}, STEP)
    assert check is not None
    assert (check.check, check.params) == ("job", {"name": job_name("tidy", STEP)})
    assert check.within == 5 * MINUTE + 30 * SECOND
    assert settling_of(ACTIONS["restart"], {}, STEP) is None
    assert settling_of(None, {}, STEP) is None


def test_what_settles_a_step_is_no_check_of_policy_files() -> None:
    assert SETTLING.keys() & CHECKS.keys() == set()
    found = read_policies({"p.yaml": BOOK.replace("alert: {}", "job: {name: tidy}")}).findings
    assert any("job" in str(each) for each in found)


async def asked(cluster: Cluster | None) -> CheckResult:
    check = SETTLING["job"]
    params = check.params.model_validate({"name": "tidy-0123456789"})
    return await check.ask(params, Sight(cluster=cluster, target=WEB, firing=1))


@pytest.mark.parametrize(
    ("job", "holds", "final", "said"),
    [
        (
            replace(RAN, ended=JobEnd.COMPLETE, succeeded=2),
            True,
            False,
            "completed, 0 pods at work, 2 succeeded",
        ),
        (
            replace(RAN, active=1, failed=2),
            False,
            False,
            "is not over yet, 1 pods at work, 0 succeeded, 2 failed",
        ),
        (replace(RAN, asleep=True), False, False, "is suspended by somebody"),
        (Retryable("no answer"), None, False, "could not be read: no answer"),
        (None, None, True, "is gone, and nobody saw how it ended"),
    ],
)
async def test_it_holds_when_the_job_has_completed(
    job: Job | Retryable | None, holds: bool | None, final: bool, said: str
) -> None:
    """Gone is unknown for good; what cannot be read now may be read later."""
    seen = await asked(Cluster(ran=job))
    assert (seen.holds, seen.final) == (holds, final)
    assert said in seen.observed


async def test_without_a_cluster_nothing_is_known() -> None:
    assert (await asked(None)).holds is None


FAILED = replace(RAN, ended=JobEnd.FAILED, failed=2, reason="BackoffLimitExceeded", message="too often")


def pod(name: str, at: int, phase: str = "Failed") -> Pod:
    made = Instant(NOW + at)
    return Pod(
        name=name, phase=phase, ready=False, restarts=0, uid=name, containers=("main",), created_at=made
    )


async def test_a_failure_is_told_with_the_last_words_of_the_pod_that_failed_last() -> None:
    """Secrets hidden, what forges lines made plain, five lines at most."""
    written = {
        "b/main": ["one", "two", "token: abcdefabcdef123456", "", "three", "fo\x1b[2Jur", "five"],
        "a/main": ["an older try"],
    }
    pods = (pod("b", 2), pod("a", 1), pod("c", 3, phase="Running"))
    seen = await asked(Cluster(ran=FAILED, found=pods, written=written))
    assert (seen.holds, seen.final) == (False, True)
    assert seen.observed.startswith(
        "job tidy-0123456789 failed (BackoffLimitExceeded: too often); b/main wrote last: "
    )
    assert seen.observed.count(" | ") == 4
    assert "an older try" not in seen.observed
    assert "abcdefabcdef" not in seen.observed
    assert "\x1b" not in seen.observed
    assert seen.observed.endswith("| five")


async def test_a_failure_without_a_log_is_a_failure_all_the_same() -> None:
    """No pod, a log that cannot be read, and one with nothing in it."""
    assert (await asked(Cluster(ran=FAILED, found=()))).observed.endswith("; it left no pod")
    unread = await asked(Cluster(ran=FAILED, found=(pod("a", 1),), written={"a/main": Retryable("busy")}))
    assert (unread.holds, unread.final) == (False, True)
    assert unread.observed.endswith("; its log could not be read: busy")
    empty = await asked(Cluster(ran=FAILED, found=(pod("a", 1),), written={"a/main": [""]}))
    assert empty.observed.endswith("a/main wrote nothing")


BOOK = """
severities: {SEV-4: {}}
services: {web: {namespace: shop, workload: deployment/web}}
guards: {namespaces: [shop]}
rules: [{name: r, match: [a="1"], severity: SEV-4, service: web, mode: auto, runbooks: [fix]}]
runbooks: {fix: {steps: [{job: {from: tidy, timeout: 5m}}, {pause: {for: 1m}}], verify: [{alert: {}}]}}
"""


async def test_explaining_says_what_would_be_run() -> None:
    [book] = (await of_labels(load_policy({"p.yaml": BOOK}), {"a": "1"})).runbooks
    assert book.steps[0].step == "job (from: tidy, timeout: 5m) deployment/web in shop"
    assert book.steps[0].diff == ("+ a job from cronjob/tidy, for 5m at most",)


def test_how_long_it_may_take_to_know_counts_jobs_and_pauses() -> None:
    """Escalations are held against it: 5m and the grace of the job, the pause, and the check of the proof."""
    assert verification_window(load_policy({"p.yaml": BOOK}).runbooks["fix"]) == 11 * MINUTE + 30 * SECOND


def test_a_job_has_a_second_at_least() -> None:
    """Kubernetes counts in seconds."""
    [finding] = read_policies({"p.yaml": BOOK.replace("timeout: 5m", "timeout: 500ms")}).findings
    assert (finding.code, "must be a second at least" in finding.message) == ("P014", True)
