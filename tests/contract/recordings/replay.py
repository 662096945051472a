"""Replays recorded exchanges with a real API server (Kubernetes v1.32) against the fake.

Each file beside this one is one session against a real cluster, in order. Uids, versions and hashed names
of the recording are translated to those of the fake as they appear; times and addresses are not compared.
``supported.json`` names the exchanges the fake claims to answer alike; ``given.json`` those that read a state
which nobody asked for by a request, such as a pod that crashes: it is put into the fake as it was recorded.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp

from remediator.testing.apiserver import FakeApiServer

Json: TypeAlias = dict[str, Any]
Step: TypeAlias = Callable[["Replay", Json], Awaitable[None]]
Compare: TypeAlias = Callable[["Replay", Json], Awaitable[str]]

RECORDINGS = Path(__file__).parent
SUPPORTED: dict[str, list[str]] = json.loads((RECORDINGS / "supported.json").read_text())
GIVEN: dict[str, list[str]] = json.loads((RECORDINGS / "given.json").read_text())
TOKENS = {"admin": "admin-token", "alice": "alice-token", "bad-token": "nobody-has-this"}
_HASH = re.compile(r"(?<=-)[bcdfghjklmnpqrstvwxz2456789]{8,10}\b")
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"(current: |ResourceVersion in record \()\d+"), r"\1<version>"),
    (re.compile(r'Invalid value: "\{.*\}":', re.DOTALL), 'Invalid value: "{...}":'),
    (re.compile(r'Invalid value: "\{.*\}\\": ', re.DOTALL), 'Invalid value: "{...}": '),
    (re.compile(r"Invalid value: ((core|policy)\.\w+)\{.*\}: ", re.DOTALL), r"Invalid value: \1{...}: "),
    (re.compile(r"^\d+[smhd]$"), "<age>"),
    (re.compile(r'(pods "[-\w]+-)[a-z0-9]{5}(?=" is forbidden: exceeded)'), r"\1<random>"),
    (re.compile(r"\n  core\.\w+\{\n.*\n  \}\n", re.DOTALL), ""),
)
_HASHED = {"ReplicaSet", "ReplicaSetList", "ControllerRevisionList", "EndpointSliceList"}
_IGNORED = {
    "uid",
    "continue",
    "resourceVersion",
    "managedFields",
    "podIP",
    "podIPs",
    "hostIP",
    "hostIPs",
    "nodeName",
}
_IGNORED |= {"clusterIP", "clusterIPs", "volumes", "volumeMounts", "storageVersionHash", "serverAddress"}
_IGNORED |= {"containerID", "imageID", "image_pull", "endpoints.kubernetes.io/last-change-trigger-time"}


def load(name: str) -> list[Json]:
    """The exchanges or events of one file."""
    return [json.loads(line) for line in (RECORDINGS / f"{name}.jsonl").read_text().splitlines()]


class Gate:
    """The sleep of a fake server that a test can hold: while it is shut, the controllers do nothing."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.opened.set()

    async def sleep(self, seconds: float) -> None:
        """Wait so long, and then until the gate is open."""
        await asyncio.sleep(seconds)
        await self.opened.wait()


@dataclass(kw_only=True)
class Replay:
    """One session against one fake server."""

    server: FakeApiServer
    session: aiohttp.ClientSession
    gate: Gate = field(default_factory=Gate)
    names: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    _ordered: list[str] = field(default_factory=list)

    def translate(self, value: Any, key: str = "") -> Any:
        """A recorded value in the words of this server."""
        if isinstance(value, dict):
            return {self.names.get(name, name): self.translate(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.translate(inner, key) for inner in value]
        if not isinstance(value, str):
            return value
        if key in {"resourceVersion", "value"} and value in self.versions:
            return self.versions[value]
        for recorded in self._longest_first():
            value = value.replace(recorded, self.names[recorded])
        return value

    def _longest_first(self) -> list[str]:
        """The recorded names; a part of another comes after it."""
        if len(self._ordered) != len(self.names):
            self._ordered = sorted(self.names, key=len, reverse=True)
        return self._ordered

    def learn(self, recorded: Any, live: Any) -> None:
        """Take the uids, versions and hashes of two answers as the same, where they are new."""
        if isinstance(recorded, dict) and isinstance(live, dict):
            for key in recorded.keys() & live.keys():
                if key in {"uid", "resourceVersion", "continue"} and recorded[key] and live[key]:
                    (self.names if key == "uid" else self.versions)[recorded[key]] = live[key]
                self.learn(recorded[key], live[key])
        elif isinstance(recorded, list) and isinstance(live, list):
            for one, other in zip(sorted(recorded, key=_age), sorted(live, key=_age), strict=False):
                self.learn(one, other)
        elif isinstance(recorded, str) and isinstance(live, str):
            for known, other in zip(_HASH.findall(recorded), _HASH.findall(live), strict=False):
                self.names.setdefault(known, other)

    def _learn_generated(self, request: Json, recorded: Any, live: Any) -> None:
        """A name the server made up stands in the answer, or in the details of its refusal."""
        meta = request["body"].get("metadata", {}) if isinstance(request.get("body"), dict) else {}
        if "generateName" in meta and isinstance(live, dict):
            where = "details" if recorded.get("kind") == "Status" else "metadata"
            self.names[recorded[where]["name"]] = live.get(where, {}).get("name", "")

    async def send(self, request: Json) -> tuple[int, Any, Json]:
        """Send a recorded request; status, body and the headers that matter."""
        headers = {"Accept": request.get("accept", "application/json")}
        if (token := TOKENS.get(request.get("user", "admin"))) is not None:
            headers["Authorization"] = f"Bearer {token}"
        body = self.translate(request["body"]) if "body" in request else None
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        if data is not None:
            headers["Content-Type"] = request.get("content_type", "")
        query = {name: self.versions.get(value, value) for name, value in request.get("query", {}).items()}
        url = self.server.url + self.translate(request["path"])
        skip = ("Content-Type",) if not headers.get("Content-Type") else ()
        async with self.session.request(
            request["method"], url, params=query, data=data, headers=headers, skip_auto_headers=skip
        ) as answer:
            text = await answer.text()
            kept = {
                name: answer.headers.getall(name)
                for name in ("Warning", "Retry-After")
                if name in answer.headers
            }
        try:
            return answer.status, json.loads(text), kept
        except ValueError:
            return answer.status, text, kept

    async def exchange(self, recorded: Json) -> str:
        """Replay one exchange; what differs, or nothing."""
        status, body, headers = await self.send(recorded["request"])
        wanted = recorded["response"]
        body = _like(wanted.get("body"), body)
        self._learn_generated(recorded["request"], wanted.get("body"), body)
        self.learn(wanted.get("body"), body)
        differences = list(_differences(normal(self.translate(wanted.get("body"))), normal(body), ""))
        if recorded["request"]["method"] != "GET":
            differences = [one for one in differences if not _known_later(body, one)]
        if status != wanted["status"]:
            differences.insert(0, f"status {status} instead of {wanted['status']}")
        wanted_headers = {
            key: [value] if isinstance(value, str) else value
            for key, value in wanted.get("headers", {}).items()
        }
        if headers != wanted_headers:
            differences.append(f"headers {headers} instead of {wanted_headers}")
        return "; ".join(differences[:4])


def _like(recorded: Any, live: Any) -> Any:
    """A live list reduced to names, where only those were kept of the recorded one."""
    names = [{"metadata": {"name": item["metadata"]["name"]}} for item in _items(recorded)]
    if not names or names != _items(recorded):
        return live
    return live | {"items": [{"metadata": {"name": item["metadata"]["name"]}} for item in _items(live)]}


def _items(body: Any) -> list[Json]:
    found: list[Json] = (
        body.get("items", []) if isinstance(body, dict) and "columnDefinitions" not in body else []
    )
    return found if all("name" in item.get("metadata", {}) for item in found) else []


def _age(item: Any) -> str:
    """What orders objects whose names are hashes: their kind of owner and revision."""
    if not isinstance(item, dict) or "metadata" not in item:
        return str(item.get("type", "")) if isinstance(item, dict) else ""
    owner = next((one["name"] for one in item["metadata"].get("ownerReferences", ())), "")
    annotations = item["metadata"].get("annotations", {})
    return f"{owner} {item.get('revision') or annotations.get('deployment.kubernetes.io/revision', '')}"


def _without_generation(item: Json) -> Json:
    """How often a ReplicaSet was scaled, or a slice written, hangs on timing."""
    status = {name: value for name, value in item.get("status", {}).items() if name != "observedGeneration"}
    meta = {name: value for name, value in item["metadata"].items() if name != "generation"}
    return item | {"metadata": meta} | ({"status": status} if status else {})


def normal(value: Any, key: str = "") -> Any:
    """A body without what no two servers have in common; lists whose order hangs on hashes are sorted."""
    if isinstance(value, dict):
        kept = {name: normal(inner, name) for name, inner in value.items() if name not in _IGNORED}
        if kept.get("kind") in _HASHED and "items" in kept:
            kept["items"] = sorted(map(_without_generation, kept["items"]), key=json.dumps)
        owners = [one["kind"] for one in kept.get("ownerReferences", ())]
        if "generateName" in kept and owners in ([], ["Service"]):
            kept["name"] = f"{kept['generateName']}<random>"
        if not kept.get("annotations", 1):
            del kept["annotations"]
        if key in {"addresses", "notReadyAddresses"}:
            return {}
        if isinstance(kept.get("endpoints"), list):
            kept["endpoints"] = len(kept["endpoints"])
        return kept
    if isinstance(value, list):
        members = [normal(inner, key) for inner in value]
        return sorted(members, key=lambda one: str(one["type"])) if key == "conditions" else members
    if isinstance(value, str):
        for pattern, shown in _VARYING:
            value = pattern.sub(shown, value)
    return value


def _known_later(body: Any, difference: str) -> bool:
    """What a write says of the controllers' work hangs on timing."""
    if not isinstance(body, dict):
        return False
    paths = {"Scale": ".status.replicas:"}
    return difference.startswith(paths.get(str(body.get("kind")), ".status.observedGeneration:"))


def _differences(wanted: Any, found: Any, path: str) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted({*wanted, *found}):
            yield from _differences(wanted.get(key, "<absent>"), found.get(key, "<absent>"), f"{path}.{key}")
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif wanted != found:
        yield f"{path}: {str(found)[:150]!r} instead of {str(wanted)[:150]!r}"


async def settle(replay: Replay, _: Json) -> None:
    """Let the controllers finish."""
    replay.gate.opened.set()
    await replay.server.settled()


async def replay_file(
    name: str,
    server: FakeApiServer,
    *,
    before: Mapping[str, Step],
    instead: Mapping[str, Step],
    gate: Gate | None = None,
    compare: Mapping[str, Compare] | None = None,
    only: Callable[[str], bool] = lambda _: True,
) -> None:
    """Replay a file, or the exchanges of it that ``only`` names, and hold the fake to what it claims.

    ``before`` prepares an exchange, ``instead`` stands in for one the fake cannot do, ``compare`` replays one
    that is no plain request and says what differs, ``gate`` is the sleep of the server.
    """
    found: dict[str, str] = {}
    async with server, aiohttp.ClientSession() as session:
        replay = Replay(server=server, session=session, gate=gate or Gate())
        for recorded in load(name):
            if not only(recorded["name"]):
                continue
            step = before.get(recorded["name"], settle)
            await step(replay, recorded)
            if recorded["name"] in instead:
                await instead[recorded["name"]](replay, recorded)
            else:
                exchange = (compare or {}).get(recorded["name"], Replay.exchange)
                found[recorded["name"]] = await exchange(replay, recorded)
    _report(name, found, [one for one in SUPPORTED[name] if only(one)])


def _report(name: str, found: dict[str, str], claimed: list[str]) -> None:
    total = len(load(name))
    others = {key: why for key, why in found.items() if key not in claimed}
    alike = sorted(key for key, why in others.items() if not why)
    print(f"\n{name}: {len(claimed)} of {total} exchanges supported and replayed here")
    print(f"{name}: alike but not claimed: {', '.join(alike) or 'none'}")
    for key, why in others.items():
        if why:
            print(f"{name}: unsupported: {key}: {why[:240]}")
    broken = {key: found.get(key, "not replayed") for key in claimed if found.get(key, "not replayed")}
    assert not broken, json.dumps(broken, indent=2)
