"""``remediator demo``: a whole incident on this machine, with nothing to set up."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from remediator.cli.output import ExitCode, stop
from remediator.core.errors import RemediatorError, SettingsError


def demo(
    *,
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive", help="Keep everything up until Ctrl-C, and print commands to play with."
        ),
    ] = False,
    json: Annotated[
        bool,
        typer.Option("--json", help="The end state in JSON on standard output; the story on standard error."),
    ] = False,
) -> None:
    """A whole incident in under a minute: the real daemon on a store, a cluster and a PagerDuty to play with.

    One service breaks and the daemon repairs it; another cannot be repaired, and people are paged until one
    of them takes it on. Nothing outside this machine is asked, and nothing is left when it ends. Exits 0
    when everything ended as it should, 1 when it did not, 2 when the embedded store is not installed.
    """
    from remediator.testing.demo import run_demo  # what ships for tests and plays is loaded for plays alone

    console = Console(stderr=json, highlight=False, markup=False, emoji=False)
    try:
        outcome = asyncio.run(run_demo(console, interactive=interactive))
    except SettingsError as error:
        stop(str(error), ExitCode.WRONG_USE)
    except RemediatorError as error:
        stop(str(error), ExitCode.FINDINGS)
    if json:
        typer.echo(outcome.as_json())
    raise typer.Exit(outcome.code)
