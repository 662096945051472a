"""``remediator health``: whether the daemon on this machine answers, for a container's health check."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from remediator.cli.output import ExitCode, stop
from remediator.core.errors import RemediatorError, SettingsError

WITHIN = 4.0
"""Seconds for the answer."""


def health(
    *,
    ready: Annotated[
        bool,
        typer.Option("--ready", help="Ask whether alerts should be sent there, not only whether it runs."),
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            help="The operations listener. Default: on this machine, the port of REMEDIATOR_OPS_LISTEN.",
        ),
    ] = None,
) -> None:
    """Ask the daemon whether it runs. It needs no token, and no policies.

    Exits 0 when it does, 1 when it does not answer or, with --ready, is not ready, 2 when the URL is wrong.
    """
    from remediator.remote import daemon_here  # costs time that --help need not pay

    async def ask() -> None:
        async with daemon_here(url, WITHIN) as daemon:
            await daemon.ask("GET", "-/ready" if ready else "-/healthy")

    try:
        asyncio.run(ask())
    except SettingsError as error:
        stop(str(error), ExitCode.WRONG_USE)
    except RemediatorError as error:
        stop(str(error), ExitCode.FINDINGS)
    typer.echo("ready" if ready else "healthy")
