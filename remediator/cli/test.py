"""``remediator test``: the policies' own tests, on a virtual clock."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from remediator.cli.output import ExitCode, console, finding_data, finding_line, say_json, stop
from remediator.cli.progress import Progress
from remediator.cli.test_text import (
    results_data,
    say_coverage,
    say_failure,
    say_mutants,
    say_passed,
    say_summary,
)
from remediator.core.classify import Classifier
from remediator.core.policies import Policy
from remediator.policy.findings import Finding, Level
from remediator.policy.load import read_policies
from remediator.rehearsal.cases import Case
from remediator.rehearsal.coverage import Coverage, Part, measure
from remediator.rehearsal.junit import junit_xml
from remediator.rehearsal.mutating import Score, try_mutants
from remediator.rehearsal.places import Places
from remediator.rehearsal.playing import Played
from remediator.rehearsal.reading import read_tests
from remediator.rehearsal.running import Run, run_cases
from remediator.rehearsal.selecting import parse_selection


def run_tests(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Directory of policy files and their *_test.yaml.")
    ],
    *,
    only: Annotated[
        str,
        typer.Option(
            "-k", metavar="EXPR", help="Only tests whose file and name match: 'outage and not page'."
        ),
    ] = "",
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Name every test.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the results as JUnit XML, too.")
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Tell what of the policies no test covers.")
    ] = False,
    cover_rules: Annotated[
        int | None,
        typer.Option(
            "--cover-rules", min=0, max=100, metavar="PERCENT", help="Fail when fewer rules are covered."
        ),
    ] = None,
    mutate: Annotated[
        bool, typer.Option("--mutate", help="Break the policies in every way, and tell what no test notices.")
    ] = False,
    kill: Annotated[
        int | None,
        typer.Option(
            "--kill", min=0, max=100, metavar="PERCENT", help="With --mutate: fail when fewer are noticed."
        ),
    ] = None,
) -> None:
    """Run the tests that stand beside the policies. Nothing outside is touched.

    Exits 0 when everything is as expected, 1 when a test fails, a test file has mistakes, there are no tests
    or a bound is missed, 2 when the path does not exist or an option makes no sense.
    """
    if kill is not None and not mutate:
        stop("--kill is a bound for --mutate: nothing is broken without it; add it", ExitCode.WRONG_USE)
    if not directory.exists():
        stop(f"{directory} does not exist; name the directory of the policy files", ExitCode.WRONG_USE)
    if not directory.is_dir():
        stop(f"{directory} is no directory; name the directory, and choose tests by -k", ExitCode.WRONG_USE)
    policy = _policy(directory, json=json)
    cases = _cases(directory, policy, only, json=json)
    rules, took = Classifier(policy), _Stopwatch()
    with Progress("tests", len(cases), quiet=json) as progress:

        def done(played: Played) -> None:
            took.lap(played.case.id)
            progress.step()

        run = run_cases(cases, rules, done)
    places = Places.read(directory) if coverage or cover_rules is not None or mutate else None
    measured = measure(policy, places, run.points) if places is not None else None
    score = None
    if mutate and places is not None and not run.failed:
        with Progress("mutants", 0, quiet=json) as progress:
            score = try_mutants(policy, places, run, progress.moved)
    shown = measured if coverage or cover_rules is not None else None
    _say(run, shown, score, took, verbose=verbose, json=json)
    if junit is not None:
        _write(junit, junit_xml([each.played for each in run.tests], took.laps))
    if mutate and run.failed and not json:
        console(err=True).print("mutants are made when every test passes; correct them first", style="yellow")
    missed = _missed(measured, cover_rules, score, kill)
    for text in missed:
        console(err=True).print(text, style="bold red")
    raise typer.Exit(ExitCode.FINDINGS if run.failed or missed else ExitCode.FINE)


class _Stopwatch:
    """Seconds of real time that each test took."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._began = self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._last = now - self._last, now

    @property
    def total(self) -> float:
        return self._last - self._began


def _policy(directory: Path, *, json: bool) -> Policy:
    loaded = read_policies(directory)
    if loaded.policy is None:
        _say_findings([each for each in loaded.findings if each.level is Level.ERROR], json=json)
        stop(f"{directory} has errors; correct them first", ExitCode.FINDINGS)
    return loaded.policy


def _cases(directory: Path, policy: Policy, only: str, *, json: bool) -> tuple[Case, ...]:
    try:
        wanted = parse_selection(only) if only else None
    except ValueError as error:
        stop(f"-k: {error}", ExitCode.WRONG_USE)
    read = read_tests(directory, policy)
    if read.has_errors:
        _say_findings(read.findings, json=json)
        raise typer.Exit(ExitCode.FINDINGS)
    cases = read.cases if wanted is None else tuple(case for case in read.cases if wanted(case.id))
    if not cases:
        stop(f"no test matches -k {only!r}; all {len(read.cases)} are named by -v", ExitCode.WRONG_USE)
    return cases


def _say_findings(findings: list[Finding] | tuple[Finding, ...], *, json: bool) -> None:
    if json:
        say_json({"ok": False, "findings": [finding_data(finding) for finding in findings]})
        return
    for finding in findings:
        console().print(finding_line(finding))


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        stop(f"{file} cannot be written ({error.strerror})", ExitCode.WRONG_USE)


def _say(
    run: Run, coverage: Coverage | None, score: Score | None, took: _Stopwatch, *, verbose: bool, json: bool
) -> None:
    if json:
        say_json(results_data(run, coverage, score))
        return
    out = console()
    for each in run.tests:
        if each.played.passed:
            if verbose:
                say_passed(out, each.played, took.laps[each.played.case.id])
        else:
            say_failure(out, each.played)
    say_summary(out, run, took.total)
    if coverage is not None:
        say_coverage(out, coverage)
    if score is not None:
        say_mutants(out, score)


def _missed(
    coverage: Coverage | None, cover_rules: int | None, score: Score | None, kill: int | None
) -> list[str]:
    """Which bounds were not kept, in words."""
    missed = []
    if coverage is not None and cover_rules is not None:
        rules = coverage.part(Part.RULES)
        if rules.covered * 100 < cover_rules * rules.total:
            missed.append(f"{rules.percent}% of the rules are covered, at least {cover_rules}% are asked for")
    if score is not None and kill is not None and score.killed * 100 < kill * score.total:
        missed.append(f"{score.percent}% of the mutants are noticed, at least {kill}% are asked for")
    return missed
