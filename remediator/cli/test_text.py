"""Results of tests as a person reads them, and as programs do."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from remediator.cli.output import plural
from remediator.policy.findings import Spot
from remediator.rehearsal.coverage import WHAT_COUNTS, Coverage, PartCovered
from remediator.rehearsal.mutating import Score
from remediator.rehearsal.playing import Failure, Played
from remediator.rehearsal.running import Run
from remediator.rehearsal.telling import moment


def say_passed(out: Console, played: Played, seconds: float) -> None:
    """One line for a test that passed."""
    out.print(Text.assemble(("passed ", "green"), _title(played), (f" ({seconds * 1000:.0f} ms)", "dim")))


def _title(played: Played) -> str:
    return f"{played.case.where}: {played.case.name}"


def say_failure(out: Console, played: Played) -> None:
    """A test that failed: what was expected, what was seen, why, and what happened until then."""
    out.print(Text.assemble(("FAILED ", "bold red"), (_title(played), "bold")))
    for failure in played.failures:
        _say_differences(out, failure)
    story = played.failures[-1]
    out.print(Text(f"  what happened until {moment(story.at)}:", style="dim"))
    for line in story.story or ("nothing",):
        out.print(Text(f"    {line}", style="dim"))
    out.print()


def _say_differences(out: Console, failure: Failure) -> None:
    for each in failure.differences:
        out.print(
            Text.assemble(
                (f"  {failure.places.get(each.key, failure.where)}: ", "bold"),
                f"at {moment(failure.at)}: {each.key}: expected ",
                (each.expected, "green"),
                ", seen ",
                (each.seen, "red"),
            )
        )
        if each.why:
            out.print(Text(f"      because {each.why}", style="yellow"))


def say_summary(out: Console, run: Run, seconds: float) -> None:
    """How many passed."""
    failed = len(run.failed)
    text = f"{plural(len(run.tests), 'test')}: {len(run.tests) - failed} passed"
    text += f", {failed} failed" if failed else ""
    out.print(Text(f"{text}, in {seconds:.2f} s", style="bold red" if failed else "bold green"))


def say_coverage(out: Console, coverage: Coverage) -> None:
    """Percentages, and everything that is missing by its name and place."""
    out.print("\ncoverage", style="bold")
    for part in coverage.parts:
        if part.total:
            style = "green" if not part.missing else "yellow"
            counts = f"{part.covered} of {part.total} {WHAT_COUNTS[part.part]}"
            out.print(Text(f"  {part.part:<18} {part.percent:>3}%  {counts}", style=style))
    for part in coverage.parts:
        for missing in part.missing:
            where = f"{missing.where}: " if missing.where else ""
            out.print(Text(f"  {where}{_missing(part, missing.name)}", style="dim"))


def _missing(part: PartCovered, name: str) -> str:
    return f"{_ONE[part.part]} {name}: never {WHAT_COUNTS[part.part]} in a test"


_ONE = {
    "rules": "rule",
    "steps": "runbook",
    "verifications": "runbook",
    "guards": "guard",
    "approvals": "approval of runbook",
    "raises": "raise of",
    "page policies": "page policy of",
    "escalation levels": "escalation",
}


def say_mutants(out: Console, score: Score) -> None:
    """How many ways of breaking the policies are noticed, and which are not."""
    out.print(f"\nmutants: {score.killed} of {score.total} noticed ({score.percent}%)", style="bold")
    width = max(map(len, ("escalations ", *score.by_section)))
    for section, (killed, total) in score.by_section.items():
        style = "green" if killed == total else "yellow"
        out.print(Text(f"  {section:<{width}} {100 * killed // total:>3}%  {killed} of {total}", style=style))
    for mutant in score.survivors:
        out.print(
            Text.assemble(
                (f"{mutant.where}: ", "bold"), f"{mutant.subject}: {mutant.change}: no test notices"
            )
        )
        out.print(Text(f"      {mutant.hint}", style="cyan"))


def results_data(run: Run, coverage: Coverage | None, score: Score | None) -> dict[str, object]:
    """Everything as plain values."""
    failed = len(run.failed)
    data: dict[str, object] = {
        "ok": not failed,
        "counts": {"passed": len(run.tests) - failed, "failed": failed},
        "tests": [_played(each.played) for each in run.tests],
        "findings": [],
    }
    if coverage is not None:
        data["coverage"] = {
            str(part.part).replace(" ", "_"): {
                "covered": part.covered,
                "total": part.total,
                "percent": part.percent,
                "missing": [asdict(missing) for missing in part.missing],
            }
            for part in coverage.parts
        }
    if score is not None:
        data["mutants"] = {
            "killed": score.killed,
            "total": score.total,
            "percent": score.percent,
            "sections": {name: {"killed": k, "total": t} for name, (k, t) in score.by_section.items()},
            "survivors": [each.as_data() for each in score.survivors],
        }
    return data


def _played(played: Played) -> dict[str, object]:
    return {
        "name": played.case.name,
        **_spot(played.case.where),
        "passed": played.passed,
        "failures": [
            {
                **_spot(failure.where),
                "at": moment(failure.at),
                "differences": [asdict(each) for each in failure.differences],
                "timeline": [
                    {"at": moment(line.at), "service": line.service, "text": line.text}
                    for line in failure.story
                ],
            }
            for failure in played.failures
        ],
    }


def _spot(at: Spot) -> dict[str, object]:
    return {"path": at.path, "line": at.line, "column": at.column}
