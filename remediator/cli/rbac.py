"""``remediator rbac``: the least Kubernetes permissions that policies need, and whether they are there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from remediator.cli.output import ExitCode, console, finding_line, plural, say_json, stop
from remediator.core.access import Access
from remediator.core.errors import Refused, RemediatorError, SettingsError
from remediator.core.policies import Mode, Policy
from remediator.core.text import plain
from remediator.core.values import DNS_LABEL
from remediator.policy.access_check import too_wide
from remediator.policy.chart_values import as_values
from remediator.policy.findings import Findings, Level
from remediator.policy.load import read_policies
from remediator.policy.manifests import Account, Role, as_yaml, manifests, roles_of
from remediator.policy.rbac import Demands, Purpose, demands, namespaces_of
from remediator.policy.sources import read_sources
from remediator.settings import read_settings

NOTHING = "these policies need nothing of Kubernetes: no rule has a runbook for a service with a workload"

USUAL = {
    "--namespace": "remediator",
    "--service-account": "remediator",
    "--mode": Mode.AUTO,
    "--as-if": Mode.OBSERVE,
}
"""What the options say where they are not given."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is checked, as whom, and the command that grants what is missing."""

    directory: Path
    kubeconfig: Path | None
    grant: str


def _name(value: str) -> str:
    if DNS_LABEL.fullmatch(value) is None:
        raise typer.BadParameter(f"'{value}' is not a name in Kubernetes, such as remediator")
    return value


def rbac(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory of policy files, or one file.")],
    *,
    namespace: Annotated[
        str, typer.Option("--namespace", callback=_name, help="Where the service account is.")
    ] = "remediator",
    service_account: Annotated[
        str,
        typer.Option("--service-account", callback=_name, help="The account that the daemon runs under."),
    ] = "remediator",
    mode: Annotated[
        Mode, typer.Option("--mode", help="The daemon's ceiling on every rule's mode.")
    ] = Mode.AUTO,
    as_if: Annotated[
        Mode,
        typer.Option(
            "--as-if", help="As if every rule were trusted at least that far: one step up the ladder."
        ),
    ] = Mode.OBSERVE,
    check: Annotated[
        bool, typer.Option("--check", help="Ask the cluster whether we have them, and whether we have more.")
    ] = False,
    values: Annotated[
        bool,
        typer.Option(
            "--values", help="As values of the Helm chart: the policies, and the Roles that they need."
        ),
    ] = False,
    kubeconfig: Annotated[
        Path | None,
        typer.Option("--kubeconfig", help="For --check: the service account's. Default: the daemon's."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """The least Role and RoleBinding in each namespace that these policies need, for kubectl apply -f -.

    Exits 0; with --check 1 when permissions are missing or the cluster does not tell. 1 when the policies
    have errors, 2 when the path does not exist.
    """
    if values and (check or json):
        stop("--values is neither for --check nor for --json", ExitCode.WRONG_USE)
    policy = _policy(directory)
    needed = demands(policy, ceiling=mode, at_least=as_if)
    given = {"--namespace": namespace, "--service-account": service_account, "--mode": mode, "--as-if": as_if}
    options = "".join(f" {name} {value}" for name, value in given.items() if value != USUAL[name])
    if check:
        how = f"remediator rbac {directory}{options} | kubectl apply -f -"
        raise typer.Exit(_check(policy, needed, Asked(directory, kubeconfig, how), json=json))
    account, roles = Account(namespace=namespace, name=service_account), roles_of(needed)
    if json:
        say_json(_data(policy, roles, account, needed))
        return
    if not roles:
        console(err=True).print(f"{directory}: {NOTHING}", style="yellow")
    if values:
        typer.echo(_values(directory, roles, _head(directory, f" --values{options}")), nl=False)
        return
    typer.echo(as_yaml(roles, account, _head(directory, options)), nl=False)


def _policy(directory: Path) -> Policy:
    if not directory.exists():
        stop(f"{directory} does not exist; name the directory of the policy files", ExitCode.WRONG_USE)
    loaded = read_policies(directory)
    if loaded.policy is None:
        for finding in loaded.findings:
            if finding.level is Level.ERROR:
                typer.echo(finding_line(finding).plain, err=True)
        stop(f"{directory} has errors; correct them first", ExitCode.FINDINGS)
    return loaded.policy


def _head(directory: Path, options: str) -> tuple[str, ...]:
    return (
        "The least that these policies need of Kubernetes.",
        f"Written by: remediator rbac {plain(directory.name or str(directory), 80)}{options}",
        "Each rule says what it is for: a runbook, the rules of the policy that try it, and its parts.",
    )


def _values(directory: Path, roles: Sequence[Role], head: Sequence[str]) -> str:
    """The names of files as the ConfigMap will have them. Ends the command where it cannot hold them."""
    root = directory if directory.is_dir() else directory.parent
    texts = read_sources(directory, Findings()).texts
    files = {Path(path).relative_to(root).as_posix(): text for path, text in texts.items()}
    try:
        return as_values(roles, files, head)
    except Refused as error:
        stop(str(error), ExitCode.FINDINGS)


def _data(policy: Policy, roles: Sequence[Role], account: Account, needed: Demands) -> dict[str, object]:
    return {
        "digest": policy.digest,
        "manifests": manifests(roles, account),
        "needs": [_need(access, purposes) for access, purposes in needed.items()],
    }


def _need(access: Access, purposes: Sequence[Purpose]) -> dict[str, object]:
    return {
        "namespace": access.namespace,
        "group": access.group,
        "resource": access.resource,
        "verb": access.verb,
        "name": access.name,
        "for": [
            {"rules": each.rules, "runbook": each.runbook, "part": each.part, "why": each.why}
            for each in purposes
        ],
    }


def _check(policy: Policy, needed: Demands, asked: Asked, *, json: bool) -> ExitCode:
    try:
        missing, wider = asyncio.run(_ask(policy, needed, asked))
    except SettingsError as error:
        stop(str(error), ExitCode.WRONG_USE)
    except RemediatorError as error:
        stop(f"the cluster does not tell what we may do: {error}", ExitCode.FINDINGS)
    lacked = {access: purposes for access, purposes in needed.items() if access in missing}
    if json:
        data = {"ok": not lacked, "digest": policy.digest, "needed": len(needed)}
        say_json({**data, "missing": [_need(*each) for each in lacked.items()], "wider": wider})
    else:
        _say(asked, needed, lacked, wider)
    return ExitCode.FINDINGS if lacked else ExitCode.FINE


async def _ask(policy: Policy, needed: Demands, asked: Asked) -> tuple[frozenset[Access], tuple[str, ...]]:
    from remediator.cluster_access import access_reviewer  # costs 0.3 s that printing need not pay

    settings = read_settings({"policies": asked.directory, "kubeconfig": asked.kubeconfig})
    async with access_reviewer(settings) as reviewer:
        missing = await reviewer.missing(needed)
        return missing, await too_wide(needed, reviewer, namespaces_of(policy))


def _say(asked: Asked, needed: Demands, lacked: Demands, wider: Sequence[str]) -> None:
    out = console()
    for access, purposes in lacked.items():
        out.print(Text.assemble(("missing: ", "bold red"), (str(access), "bold")))
        for each in purposes:
            out.print(f"  {each.runbook}, {each.part}: {each.why}; rules {', '.join(each.rules)}")
    for text in wider:
        out.print(Text.assemble(("wider than needed: ", "cyan"), text))
    told = console(err=True)
    if lacked:
        told.print(
            f"{asked.directory}: {len(lacked)} of {plural(len(needed), 'permission')} missing; "
            f"grant them: {asked.grant}",
            style="bold red",
        )
    else:
        told.print(f"{asked.directory}: {plural(len(needed), 'permission')} needed, all there", style="green")
