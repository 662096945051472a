"""The command line: one module per command, imported when it is called."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from remediator import __version__


@dataclass(frozen=True, kw_only=True, slots=True)
class Lazy:
    """Where a command's function stands, and what ``--help`` says of it without importing it."""

    module: str
    function: str
    summary: str


COMMANDS = {
    "serve": Lazy(module="remediator.cli.serve", function="serve", summary="Run the daemon."),
    "demo": Lazy(
        module="remediator.cli.demo",
        function="demo",
        summary="A whole incident on this machine in under a minute, with nothing to set up.",
    ),
    "health": Lazy(
        module="remediator.cli.health",
        function="health",
        summary="Whether the daemon on this machine answers; a container's health check.",
    ),
    "check": Lazy(
        module="remediator.cli.check",
        function="check",
        summary="Validate and lint policy files; exit 1 on findings.",
    ),
    "backtest": Lazy(
        module="remediator.cli.backtest",
        function="backtest",
        summary="What policies would have done with recorded alerts, and what a change of them changes.",
    ),
    "rbac": Lazy(
        module="remediator.cli.rbac",
        function="rbac",
        summary="The least Kubernetes permissions that these policies need.",
    ),
    "explain": Lazy(
        module="remediator.cli.explain",
        function="explain",
        summary="What would happen to a notification, and why not something else.",
    ),
    "test": Lazy(
        module="remediator.cli.test",
        function="run_tests",
        summary="Run the policies' own tests on a virtual clock.",
    ),
    "approve": Lazy(
        module="remediator.cli.approve",
        function="approve",
        summary="Agree to the plan that an incident of a running daemon waits with.",
    ),
    "reject": Lazy(
        module="remediator.cli.approve",
        function="reject",
        summary="Refuse it: nothing of it is done.",
    ),
    "trust": Lazy(
        module="remediator.cli.trust",
        function="trust",
        summary="How far a running daemon trusts each rule, its record, and what that speaks for.",
    ),
    "pause": Lazy(
        module="remediator.cli.pause",
        function="pause",
        summary="Have a running daemon stop changes: all, or those of a namespace, service, rule or runbook.",
    ),
    "resume": Lazy(
        module="remediator.cli.pause",
        function="resume",
        summary="Allow them again.",
    ),
    "pauses": Lazy(
        module="remediator.cli.pause",
        function="pauses",
        summary="What is paused, by whom, why and until when.",
    ),
    "breakers": Lazy(
        module="remediator.cli.breaker",
        function="breakers",
        summary="Runbooks that are not tried any more because they failed too often.",
    ),
    "close": Lazy(
        module="remediator.cli.breaker",
        function="close",
        summary="Let a runbook be tried again whose breaker is open.",
    ),
    "schema": Lazy(
        module="remediator.cli.schema",
        function="schema",
        summary="The JSON schema of policy files, for editors that complete and underline.",
    ),
}


class LazyGroup(TyperGroup):
    """Knows every command by name, and imports the one that is called.

    So ``check`` needs neither the web server nor the Kubernetes client, and ``--help`` needs nothing.
    """

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Every name, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> TyperCommand | None:  # type: ignore[override]
        """The command for listings: its name and summary."""
        known = COMMANDS.get(cmd_name)
        return None if known is None else TyperCommand(cmd_name, help=known.summary)

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> tuple[Any, Any, list[str]]:  # type: ignore[override]
        """The command that is called, with everything it needs."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else load_command(name), rest


def load_command(name: str) -> TyperCommand:
    """Import a command."""
    known = COMMANDS[name]
    own = typer.Typer(add_completion=False)
    own.command(name)(getattr(import_module(known.module), known.function))
    loaded = typer.main.get_command(own)
    assert isinstance(loaded, TyperCommand)
    return loaded


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would show local variables, secrets included
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"remediator {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and exit."),
    ] = False,
) -> None:
    """Close the loop from a Prometheus alert to a verified fix."""


def main() -> None:
    """Entry of the ``remediator`` program."""
    app()
