"""How long a hundred tests of policies take, each of them days long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from remediator.core.classify import Classifier
from remediator.core.policies import Policy
from remediator.policy.load import load_policy
from remediator.rehearsal.mutating import try_mutants
from remediator.rehearsal.places import Places
from remediator.rehearsal.reading import read_tests
from remediator.rehearsal.running import run_cases

POLICIES = Path(__file__).parent.parent / "policies"
TESTS = 100
SERVICES = ("auth-service", "account-service", "notification-service", "analytics-service")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsed:
    """``busy`` seconds of processor time for reading and playing all tests, and ``seconds`` by the clock.

    ``days`` of virtual time in each of them.

    ``mutants`` of the default policies, and the seconds that they took on all processors.
    """

    tests: int
    days: int
    busy: float
    seconds: float
    mutants: int
    mutants_seconds: float


def measure_rehearsal() -> Rehearsed:
    """Generated tests on the default policies, and the mutants of these under their own tests."""
    policy = load_policy(POLICIES)
    began, busy = time.perf_counter(), time.process_time()
    read = read_tests({"generated_test.yaml": _generated()}, policy)
    run = run_cases(read.cases, Classifier(policy))
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    broken = [str(each) for each in read.findings] + [played.case.name for played in run.failed]
    assert len(run.tests) == TESTS, broken
    assert not broken, broken
    mutants, mutants_seconds = _mutants(policy)
    return Rehearsed(
        tests=TESTS, days=3, busy=busy, seconds=seconds, mutants=mutants, mutants_seconds=mutants_seconds
    )


def _mutants(policy: Policy) -> tuple[int, float]:
    run = run_cases(read_tests(POLICIES, policy).cases, Classifier(policy))
    began = time.perf_counter()
    score = try_mutants(policy, Places.read(POLICIES), run)
    return score.total, time.perf_counter() - began


def _generated() -> str:
    return "tests:\n" + "".join(line for number in range(TESTS) for line in _test(number))


def _test(number: int) -> Iterator[str]:
    """Three days: outages that heal and come back, one that nothing heals, and one that stays for good."""
    service = SERVICES[number % len(SERVICES)]
    labels = f"{{alertname: ServiceDown, service: {service}, instance: '{number}'}}"
    yield f"  - name: number {number}\n    alerts:\n"
    for day in range(3):
        for hour in (1, 9, 17):
            start = day * 24 + hour
            yield f"      - {{at: {start}h, fire: {labels}}}\n"
            yield f"      - {{at: {start}h{3 + number % 5}m, resolve: {labels}}}\n"
    yield "      - {at: 70h, fire: {alertname: DatabaseDown, app: postgres}}\n"
    yield "    outcomes: [{step: restart, takes: 20s}]\n    expect:\n"
    yield f"      - {{at: 2h, service: {service}, status: resolved}}\n"
    yield f"      - {{at: 72h, service: {service}, status: resolved}}\n"
