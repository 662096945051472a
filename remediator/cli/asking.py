"""What commands that operate a running daemon share: whom they ask, and what they say of failures."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from remediator.cli.output import ExitCode, stop
from remediator.core.errors import RemediatorError, SettingsError, Unknown
from remediator.remote import asked_daemon

Url = Annotated[
    str | None,
    typer.Option(
        "--url", help="The daemon's operations listener. Default: REMEDIATOR_URL, or http://127.0.0.1:9096."
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", help="File that holds your token. Default: REMEDIATOR_API_TOKEN or _FILE."),
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, as the daemon does.")]


def ask_daemon(
    method: str, path: str, where: tuple[str | None, Path | None], look: str, **sent: Any
) -> dict[str, Any]:
    """The daemon's answer; anything else ends the command. ``where``: its URL and the file of the token.

    ``look``: the command that shows what came of it when no answer tells.
    """

    async def ask() -> Any:
        async with asked_daemon(*where) as daemon:
            return await daemon.ask(method, path, **sent)

    try:
        answered: dict[str, Any] = asyncio.run(ask())
    except SettingsError as error:
        stop(str(error), ExitCode.WRONG_USE)
    except Unknown as error:
        stop(f"{error}; look with: {look}", ExitCode.FINDINGS)
    except RemediatorError as error:
        stop(str(error), ExitCode.FINDINGS)
    return answered
