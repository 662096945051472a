"""``/-/fake/``: how another process looks into this server and tells it how to behave. No token is asked for.

===========================  =====================================================================
``GET ledger``, ``requests``  what took effect, what arrived
``GET resting``               whether the controllers have nothing left to do
``faults``                    ``GET``, ``POST`` (what ``Fault.parse`` takes), ``DELETE``
``POST behave``               ``namespace``, ``name`` and what ``Behaviour.parse`` takes
``POST objects``              a manifest
``POST log``                  ``namespace``, ``pod``, ``text``; ``container``, ``previous``, or ``append``
``POST command``              ``namespace``, ``name``, ``arguments``; ``stdout``, ``stderr``, ``exit_code``
``POST usage``                ``name``, ``cpu``, ``memory``; for pods ``namespace``, too, or ``container``
``POST images``               ``image`` and ``answer`` (what the registry says), or ``mend: true``
``POST kubelet``              ``node`` and ``alive``
``POST watches``              ``{"do": "cut"}`` or ``{"do": "silence"}``
``POST compact``              forget the history
===========================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol, TypeAlias

from aiohttp import web

from remediator.testing.apiserver.behaviour import Behaviour
from remediator.testing.apiserver.executing import Output
from remediator.testing.apiserver.faults import Fault, Faults
from remediator.testing.apiserver.ledger import Arrival, Ledger
from remediator.testing.apiserver.stage import Stage

PREFIX = "/-/fake/"


class Controlled(Protocol):
    """What a server offers to other processes; the cluster behind it is directed as by a ``Stage``."""

    faults: Faults
    ledger: Ledger

    @property
    def requests(self) -> Sequence[Arrival]:
        """What arrived."""

    @property
    def stage(self) -> Stage:
        """The cluster."""

    def cut_watches(self) -> int:
        """Break off every open watch."""

    def silence_watches(self) -> int:
        """Send nothing more on them."""


Call: TypeAlias = Callable[[Controlled, Any], Any]


def _ledger(server: Controlled, _: Any) -> Any:
    return [effect.as_json() for effect in server.ledger]


def _requests(server: Controlled, _: Any) -> Any:
    return [arrival.as_json() for arrival in server.requests]


def _resting(server: Controlled, _: Any) -> Any:
    return {"resting": server.stage.cluster.resting}


def _faults(server: Controlled, _: Any) -> Any:
    return [asdict(fault) for fault in server.faults.pending()]


def _add_fault(server: Controlled, body: Any) -> Any:
    server.faults.add(Fault.parse(body))
    return {}


def _clear_faults(server: Controlled, _: Any) -> Any:
    server.faults.clear()
    return {}


def _behave(server: Controlled, body: Any) -> Any:
    server.stage.behave(body["namespace"], body["name"], Behaviour.parse(body))
    return {}


def _create(server: Controlled, body: Any) -> Any:
    return server.stage.create(body)


def _log(server: Controlled, body: Any) -> Any:
    where = (body["namespace"], body["pod"], body["text"])
    extra = {name: body[name] for name in ("container", "previous") if name in body}
    if body.get("append"):
        server.stage.append_log(*where, **extra)
    else:
        server.stage.set_log(*where, **extra)
    return {}


def _command(server: Controlled, body: Any) -> Any:
    output = Output(**{name: body[name] for name in ("stdout", "stderr", "exit_code") if name in body})
    server.stage.set_command(body["namespace"], body["name"], tuple(body["arguments"]), output)
    return {}


def _usage(server: Controlled, body: Any) -> Any:
    amounts = {"cpu": body["cpu"], "memory": body["memory"]}
    if "namespace" not in body:
        server.stage.set_node_usage(body["name"], **amounts)
    else:
        container = body.get("container", "")
        server.stage.set_usage(body["namespace"], body["name"], container=container, **amounts)
    return {}


def _images(server: Controlled, body: Any) -> Any:
    if body.get("mend"):
        server.stage.mend_image(body["image"])
    else:
        server.stage.break_image(body["image"], body.get("answer", "not found"))
    return {}


def _kubelet(server: Controlled, body: Any) -> Any:
    if body["alive"]:
        server.stage.start_kubelet(body["node"])
    else:
        server.stage.kill_kubelet(body["node"])
    return {}


def _watches(server: Controlled, body: Any) -> Any:
    deeds = {"cut": server.cut_watches, "silence": server.silence_watches}
    return {"watches": deeds[body["do"]]()}


def _compact(server: Controlled, _: Any) -> Any:
    server.stage.cluster.store.compact()
    return {}


_CALLS: Mapping[tuple[str, str], Call] = {
    ("GET", "ledger"): _ledger,
    ("GET", "requests"): _requests,
    ("GET", "resting"): _resting,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "behave"): _behave,
    ("POST", "objects"): _create,
    ("POST", "log"): _log,
    ("POST", "command"): _command,
    ("POST", "usage"): _usage,
    ("POST", "images"): _images,
    ("POST", "kubelet"): _kubelet,
    ("POST", "watches"): _watches,
    ("POST", "compact"): _compact,
}


def handler(server: Controlled) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler of every path under the prefix."""

    async def handle(http: web.Request) -> web.StreamResponse:
        call = _CALLS.get((http.method, http.path.removeprefix(PREFIX)))
        if call is None:
            return web.json_response({"error": f"no {http.method} {http.path}"}, status=404)
        try:
            body = await http.json() if http.can_read_body else None
            return web.json_response(call(server, body))
        except (KeyError, TypeError, ValueError) as error:
            return web.json_response({"error": repr(error)}, status=400)

    return handle
