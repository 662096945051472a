"""``remediator check``: validate and lint policy files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from remediator.cli.output import (
    ExitCode,
    console,
    count_levels,
    finding_data,
    finding_line,
    plural,
    say_json,
    stop,
)
from remediator.core.policies import Policy
from remediator.policy.load import Loaded, read_policies


def check(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory of policy files, or one file.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Validate and lint policy files.

    Every finding is one line: path:line:column: what is wrong, and what to write instead. Exits 0 when
    there is none (or only notices), 1 on findings, 2 when the path does not exist.
    """
    if not directory.exists():
        stop(f"{directory} does not exist; name the directory of the policy files", ExitCode.WRONG_USE)
    loaded = read_policies(directory)
    counts = count_levels(loaded.findings)
    bad = counts["error"] + counts["warning"] > 0
    if json:
        digest = None if loaded.policy is None else loaded.policy.digest
        findings = [finding_data(finding) for finding in loaded.findings]
        say_json({"ok": not bad, "digest": digest, "counts": counts, "findings": findings})
    else:
        _say(directory, loaded, counts)
    raise typer.Exit(ExitCode.FINDINGS if bad else ExitCode.FINE)


def _say(directory: Path, loaded: Loaded, counts: dict[str, int]) -> None:
    for finding in loaded.findings:
        console().print(finding_line(finding))
    out = console(err=True)
    found = ", ".join(plural(count, level) for level, count in counts.items() if count)
    if loaded.policy is None:
        out.print(f"{directory}: {found}; a daemon would not start with this", style="bold red")
    elif found:
        out.print(f"{directory}: {found}; {_contents(loaded.policy)}", style="yellow")
    else:
        out.print(f"{directory}: nothing to complain about; {_contents(loaded.policy)}", style="green")


def _contents(policy: Policy) -> str:
    """What was read, in numbers."""
    parts = (
        plural(len(policy.rules), "rule"),
        plural(len(policy.runbooks), "runbook"),
        plural(len(policy.services), "service"),
    )
    return f"{', '.join(parts)}, digest {policy.digest}"
