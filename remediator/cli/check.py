"""``remediator check``: validate and lint policy files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from remediator.cli.finding_formats import as_github, as_json, as_sarif
from remediator.cli.finding_text import say_findings
from remediator.cli.output import ExitCode, console, count_levels, plural, say_json, stop
from remediator.core.errors import SettingsError
from remediator.core.policies import Policy
from remediator.policy.lint_view import Note, View
from remediator.policy.load import Loaded, check_policies

Ask = Callable[[View], Iterable[Note]]


class Format(StrEnum):
    """How findings are told."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def check(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory of policy files, or one file.")],
    *,
    form: Annotated[
        Format, typer.Option("--format", help="text, json, github (workflow commands) or sarif (2.1.0).")
    ] = Format.TEXT,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="Also ask Prometheus for queries and alerts, and the cluster for permissions."
        ),
    ] = False,
    prometheus: Annotated[
        str | None,
        typer.Option(
            "--prometheus", metavar="URL", help="The Prometheus of --live. [REMEDIATOR_PROMETHEUS_URL]"
        ),
    ] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            "--kubeconfig", metavar="FILE", help="The service account's, for --live. [REMEDIATOR_KUBECONFIG]"
        ),
    ] = None,
) -> None:
    """Validate and lint policy files.

    Every finding is one line: path:line:column: what is wrong, and what to write instead. Exits 0 when
    there is none (or only notices), 1 on findings, 2 when the path does not exist.
    """
    if not directory.exists():
        stop(f"{directory} does not exist; name the directory of the policy files", ExitCode.WRONG_USE)
    if json and form not in (Format.TEXT, Format.JSON):
        stop(f"--json and --format {form} exclude each other; leave one out", ExitCode.WRONG_USE)
    if (prometheus is not None or kubeconfig is not None) and not live:
        stop("--prometheus and --kubeconfig are asked with --live only; add --live", ExitCode.WRONG_USE)
    loaded = check_policies(directory, _world(directory, prometheus, kubeconfig) if live else None)
    match Format.JSON if json else form:
        case Format.TEXT:
            say_findings(console(), loaded.findings, loaded.texts)
        case Format.JSON:
            say_json(as_json(loaded))
        case Format.GITHUB:
            for line in as_github(loaded.findings):
                typer.echo(line)
        case Format.SARIF:
            say_json(as_sarif(loaded))
    if form is not Format.JSON and not json:
        _sum_up(directory, loaded)
    counts = count_levels(loaded.findings)
    raise typer.Exit(ExitCode.FINDINGS if counts["error"] + counts["warning"] else ExitCode.FINE)


def _world(directory: Path, prometheus: str | None, kubeconfig: Path | None) -> Ask:
    """What asks the servers, imported only when it is wanted."""
    import asyncio

    from remediator.live import ask_world
    from remediator.settings import read_settings

    flags = {"prometheus_url": prometheus, "kubeconfig": kubeconfig, "policies": directory}

    def ask(view: View) -> Iterable[Note]:
        try:
            return asyncio.run(ask_world(view, read_settings(flags)))
        except SettingsError as error:
            stop(str(error), ExitCode.WRONG_USE)

    return ask


def _sum_up(directory: Path, loaded: Loaded) -> None:
    """What was found and what was read, in numbers, on standard error."""
    out = console(err=True)
    counts = count_levels(loaded.findings)
    found = ", ".join(plural(count, level) for level, count in counts.items() if count)
    silenced = f"{plural(len(loaded.silenced), 'finding')} silenced; " if loaded.silenced else ""
    if loaded.policy is None:
        out.print(f"{directory}: {found}; a daemon would not start with this", style="bold red")
        return
    contents = f"{silenced}{_contents(loaded.policy)}"
    if found:
        out.print(f"{directory}: {found}; {contents}", style="yellow")
    else:
        out.print(f"{directory}: nothing to complain about; {contents}", style="green")


def _contents(policy: Policy) -> str:
    """What was read, in numbers."""
    parts = (
        plural(len(policy.rules), "rule"),
        plural(len(policy.runbooks), "runbook"),
        plural(len(policy.services), "service"),
    )
    return f"{', '.join(parts)}, digest {policy.digest}"
