"""Lints of what the step, the check and the diagnosis ``http`` would ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from remediator.core.policies import Runbook
from remediator.core.probing import catalog_hosts, template_authority
from remediator.policy.lint_view import Note, View

Probe = tuple[tuple[str, ...], Mapping[str, object]]
"""The keys that lead to it, and its parameters."""


def strange_hosts(view: View) -> Iterator[Note]:
    """B205: a URL whose host is that of no health URL in the catalog: it is never asked."""
    if not view.draft.whole:
        return
    hosts = catalog_hosts(view.policy.services.values())
    for name, runbook in view.policy.runbooks.items():
        for keys, params in _probes(runbook):
            url = params.get("url")
            if isinstance(url, str) and (host := template_authority(url)) not in hosts:
                text = (
                    f"{host} is the host of no health URL in the catalog, so it is never asked; "
                    "add health: to the service that it belongs to"
                )
                yield Note(at=view.spot("runbooks", name, *keys, "url"), code="B205", message=text)


def nothing_to_ask(view: View) -> Iterator[Note]:
    """B206: a probe of the service's own health URL, while no service that it is for has one."""
    if not view.draft.whole:
        return
    for name, runbook in view.policy.runbooks.items():
        asking = [keys for keys, params in _probes(runbook) if "url" not in params]
        known = view.selected(view.rules_of.get(name, ())) if asking else ()
        if not known or any(view.policy.services[each].health is not None for each in known):
            continue
        for keys in asking:
            text = (
                f"runbook '{name}' asks the service's health URL, but no service that it is for has one; "
                "add health: http://… to the services"
            )
            yield Note(at=view.spot("runbooks", name, *keys), code="B206", message=text)


def _probes(runbook: Runbook) -> Iterator[Probe]:
    for number, check in enumerate(runbook.verify):
        if check.check == "http":
            yield ("verify", str(number), "http"), check.params
    for number, step in enumerate(runbook.steps):
        for keys, asked in ((("when",), step.when), (("wait", "for"), step.wait)):
            if asked is not None and asked.check == "http":
                yield ("steps", str(number), *keys, "http"), asked.params
        if step.action == "http":
            yield ("steps", str(number), "http"), step.params
    for number, look in enumerate(runbook.diagnose):
        if look.diagnosis == "http":
            yield ("diagnose", str(number), "http"), look.params
