"""``remediator serve``: the daemon."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from remediator import __version__
from remediator.cli.garbage import COLLECT_AFTER
from remediator.cli.output import ExitCode, stop
from remediator.core.errors import PolicyError, RemediatorError, SettingsError
from remediator.settings import PREFIX, Settings, read_settings
from remediator.telemetry.logging import configure_logging

if TYPE_CHECKING:
    from remediator.app import Address, App

EXAMPLE = Path("docs/examples/alert.json")
DESCRIBED_WITHIN = 2.0
"""Seconds for the cluster and Prometheus to say who they are, before the banner is shown without."""
_log = structlog.get_logger(__name__)


def _flag(name: str) -> typer.models.OptionInfo:
    """The flag of a setting: described by the setting itself, which also reads the environment."""
    text = Settings.model_fields[name].description or ""
    if f"{name}_file" in Settings.model_fields:
        text += " Visible to every user of this machine: the file or the environment is better."
    option = typer.Option(f"--{name.replace('_', '-')}", help=f"{text} [{PREFIX}{name.upper()}]")
    assert isinstance(option, typer.models.OptionInfo)
    return option


def serve(
    *,
    policies: Annotated[str | None, _flag("policies")] = None,
    listen: Annotated[str | None, _flag("listen")] = None,
    ops_listen: Annotated[str | None, _flag("ops_listen")] = None,
    redis_url: Annotated[str | None, _flag("redis_url")] = None,
    redis_url_file: Annotated[str | None, _flag("redis_url_file")] = None,
    redis_username: Annotated[str | None, _flag("redis_username")] = None,
    redis_password: Annotated[str | None, _flag("redis_password")] = None,
    redis_password_file: Annotated[str | None, _flag("redis_password_file")] = None,
    redis_ca: Annotated[str | None, _flag("redis_ca")] = None,
    redis_cert: Annotated[str | None, _flag("redis_cert")] = None,
    redis_key: Annotated[str | None, _flag("redis_key")] = None,
    redis_prefix: Annotated[str | None, _flag("redis_prefix")] = None,
    redis_durability: Annotated[str | None, _flag("redis_durability")] = None,
    retention: Annotated[str | None, _flag("retention")] = None,
    data_dir: Annotated[str | None, _flag("data_dir")] = None,
    archive: Annotated[str | None, _flag("archive")] = None,
    archive_file_size: Annotated[str | None, _flag("archive_file_size")] = None,
    archive_size: Annotated[str | None, _flag("archive_size")] = None,
    archive_retention: Annotated[str | None, _flag("archive_retention")] = None,
    tls_cert: Annotated[str | None, _flag("tls_cert")] = None,
    tls_key: Annotated[str | None, _flag("tls_key")] = None,
    client_ca: Annotated[str | None, _flag("client_ca")] = None,
    webhook_token: Annotated[str | None, _flag("webhook_token")] = None,
    webhook_token_file: Annotated[str | None, _flag("webhook_token_file")] = None,
    api_token: Annotated[str | None, _flag("api_token")] = None,
    api_token_file: Annotated[str | None, _flag("api_token_file")] = None,
    kubeconfig: Annotated[str | None, _flag("kubeconfig")] = None,
    prometheus_url: Annotated[str | None, _flag("prometheus_url")] = None,
    prometheus_token: Annotated[str | None, _flag("prometheus_token")] = None,
    prometheus_token_file: Annotated[str | None, _flag("prometheus_token_file")] = None,
    alertmanager_urls: Annotated[str | None, _flag("alertmanager_urls")] = None,
    alertmanager_receiver: Annotated[str | None, _flag("alertmanager_receiver")] = None,
    alertmanager_token: Annotated[str | None, _flag("alertmanager_token")] = None,
    alertmanager_token_file: Annotated[str | None, _flag("alertmanager_token_file")] = None,
    pagerduty_routing_key: Annotated[str | None, _flag("pagerduty_routing_key")] = None,
    pagerduty_routing_key_file: Annotated[str | None, _flag("pagerduty_routing_key_file")] = None,
    pagerduty_url: Annotated[str | None, _flag("pagerduty_url")] = None,
    mode: Annotated[str | None, _flag("mode")] = None,
    log_level: Annotated[str | None, _flag("log_level")] = None,
) -> None:
    """Run the daemon until SIGTERM or SIGINT; SIGHUP reads the policies anew.

    Every flag is also an environment variable. Exits 1 when the policies have errors, 2 when a setting is
    wrong or a path does not exist.
    """
    flags = dict(locals())
    try:
        settings = read_settings(flags)
        configure_logging(settings.log_level)
        run(settings)
    except SettingsError as error:
        stop(str(error), ExitCode.WRONG_USE)
    except PolicyError as error:
        for finding in error.findings:
            typer.echo(finding, err=True)
        stop(f"{settings.policies} has errors; correct them first", ExitCode.FINDINGS)
    except RemediatorError as error:
        stop(str(error), ExitCode.FINDINGS)


def run(settings: Settings) -> None:
    """Run the daemon on uvloop, which carries twice as many requests a second."""
    if sys.platform == "win32":
        asyncio.run(_serve(settings))
        return
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))


def _load() -> type[App]:
    """Import the daemon. It makes no garbage worth looking for, and looking takes a tenth of the start."""
    gc.disable()
    from remediator.app import App

    gc.freeze()
    gc.enable()
    gc.set_threshold(*COLLECT_AFTER)
    return App


async def _serve(settings: Settings) -> None:
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # its policies are being read already
    async with _load().running(settings) as app:
        loop.add_signal_handler(signal.SIGHUP, lambda: app.runtime.spawn(_reload(app), "reload"))
        app.runtime.spawn(_introduce(app), "introduce")
        await stopping.wait()
        for number in (signal.SIGTERM, signal.SIGINT):  # a second one ends it at once
            loop.remove_signal_handler(number)
    _log.info("stopped")


async def _reload(app: App) -> None:
    try:
        await app.reload("SIGHUP")
    except PolicyError:
        return  # logged with its findings; the policy from before stays in force


async def _introduce(app: App) -> None:
    """Say what runs, and what to try next."""
    trouble, cluster, prometheus = await asyncio.gather(app.settled(), _cluster(app), _prometheus(app))
    store = "a Valkey of its own, for one replica" if app.embedded else "Redis"
    if not app.embedded and app.settings.redis_durability == "weak":
        store += ", which may lose acknowledged alerts (REDIS_DURABILITY=weak)"
    policy = app.rulebook.policy()
    facts = {
        "receiver": f"{_url(app.receiver_address, tls=app.settings.tls_cert is not None)}/v1/alertmanager",
        "operations": _url(app.ops_address),
        "mode": f"{app.settings.mode} at most",
        "policies": f"{app.settings.policies}, {len(policy.rules)} rules, digest {policy.digest}",
        "store": f"{store} in {app.settings.data_dir}" if app.embedded else store,
        "cluster": cluster,
        "prometheus": prometheus,
        "alertmanagers": _alertmanagers(app),
        "state": "ready" if trouble is None else f"not ready: {trouble}",
    }
    if not sys.stderr.isatty():
        _log.info("started", version=__version__, **facts)
        return
    lines = [f"remediator {__version__}", *(f"  {name:<13} {text}" for name, text in facts.items())]
    sys.stderr.write("\n".join(["", *lines, "", *_next_steps(app), ""]) + "\n")


async def _cluster(app: App) -> str:
    if app.cluster is None:
        return "none, so every change is blocked; set REMEDIATOR_KUBECONFIG to act on one"
    try:
        async with asyncio.timeout(DESCRIBED_WITHIN):
            return await app.cluster.describe()
    except TimeoutError:
        return "does not answer now; changes are blocked until it does"


async def _prometheus(app: App) -> str:
    if app.prometheus is None:
        return "none, so what is asked of it is unknown; set REMEDIATOR_PROMETHEUS_URL to ask one"
    try:
        async with asyncio.timeout(DESCRIBED_WITHIN):
            return await app.prometheus.describe()
    except TimeoutError:
        return "does not answer now; what is asked of it is unknown until it does"


def _alertmanagers(app: App) -> str:
    if app.alertmanagers is None:
        return "none, so missed deliveries stay missed; set REMEDIATOR_ALERTMANAGER_URLS to ask them"
    return f"{', '.join(one.who for one in app.alertmanagers.each)}, asked every half a minute"


def _next_steps(app: App) -> list[str]:
    """Lines that work as they stand, in another terminal."""
    settings = app.settings
    asked = _bearer("API_TOKEN") if settings.secret("api_token") else ""
    look = f"  curl{asked} {_url(app.ops_address)}/v1/incidents"
    if not EXAMPLE.exists():  # started outside a checkout
        return ["Incidents, once alerts arrive:", look]
    known = _bearer("WEBHOOK_TOKEN") if settings.secret("webhook_token") else ""
    cert = f" --cacert {settings.tls_cert}" if settings.tls_cert is not None else ""
    to = f"{_url(app.receiver_address, tls=settings.tls_cert is not None)}/v1/alertmanager"
    return [
        "Try it in another terminal: an alert, the incident it opens, and why it is treated as it is.",
        f"  curl -H 'Content-Type: application/json'{known}{cert} --data @{EXAMPLE} {to}",
        look,
        f"  {sys.argv[0]} explain {settings.policies} {EXAMPLE}",
    ]


def _bearer(name: str) -> str:
    return f' -H "Authorization: Bearer ${PREFIX}{name}"'


def _url(address: Address, *, tls: bool = False) -> str:
    host, port = address
    if host in ("0.0.0.0", "::"):  # noqa: S104 - shown, not bound
        host = "localhost"
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
