"""How commands speak: in colour on a terminal, plainly into a pipe, in JSON to programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import IntEnum
from typing import NoReturn

import typer
from rich.console import Console
from rich.text import Text

from remediator.policy.findings import Finding, Level


class ExitCode(IntEnum):
    """What the shell hears."""

    FINE = 0
    FINDINGS = 1
    WRONG_USE = 2


STYLES = {Level.ERROR: "bold red", Level.WARNING: "yellow", Level.NOTICE: "cyan"}


def console(*, err: bool = False) -> Console:
    """Standard output, or standard error. Never wraps: a line is a line, whoever reads it."""
    return Console(stderr=err, soft_wrap=True, highlight=False, markup=False, emoji=False)


def say_json(data: object) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def stop(message: str, code: ExitCode) -> NoReturn:
    """End the command, saying why on standard error."""
    typer.secho(message, err=True, fg="red")
    raise typer.Exit(int(code))


def finding_line(finding: Finding) -> Text:
    """``path:line:column: message [code]``, the level named where it is not an error."""
    level = "" if finding.level is Level.ERROR else f"{finding.level}: "
    return Text.assemble(
        (f"{finding.at}: ", "bold"),
        (level, STYLES[finding.level]),
        (finding.message, STYLES[finding.level] if finding.level is Level.ERROR else ""),
        (f" [{finding.code}]", "dim"),
    )


def finding_data(finding: Finding) -> dict[str, object]:
    """A finding as plain values."""
    return {
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "code": finding.code,
        "level": str(finding.level),
        "message": finding.message,
    }


def count_levels(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings of each level there are."""
    counts = {str(level): 0 for level in Level}
    for finding in findings:
        counts[str(finding.level)] += 1
    return counts


def plural(count: int, what: str) -> str:
    """``1 rule``, ``2 rules``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
