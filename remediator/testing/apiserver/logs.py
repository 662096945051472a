"""The log subresource of pods: the text a test has set."""

from __future__ import annotations

from dataclasses import dataclass, field

from remediator.testing.apiserver.bodies import Request
from remediator.testing.apiserver.objects import Json, Key, key_of
from remediator.testing.apiserver.statuses import ApiError, Cause, bad_request, invalid, unsupported

_UNSUPPORTED = ("follow", "timestamps", "sinceSeconds", "sinceTime", "stream")


@dataclass(kw_only=True)
class Logs:
    """Texts by pod, container and whether it is the previous run's."""

    _texts: dict[tuple[Key, str, bool], str] = field(default_factory=dict)

    def set(self, key: Key, text: str, *, container: str = "", previous: bool = False) -> None:
        """What a container has written; without a container, the first or only one."""
        self._texts[(key, container, previous)] = text

    def read(self, request: Request, pod: Json) -> str | None:
        """The answer to a log request; None: no content, for a pod that has no node. Raises ApiError."""
        for option in _UNSUPPORTED:
            if request.query.get(option, "false") not in {"false", ""}:
                raise unsupported(f"the log option {option}")
        name = _container(request, pod)
        if not pod["spec"].get("nodeName"):
            return None
        previous = request.query.get("previous") in {"true", "1"}
        text = self._text(pod, name, previous=previous)
        lines = text.splitlines(keepends=True)
        tail = _whole(request, "tailLines")
        limit = _whole(request, "limitBytes")
        if tail is not None:
            text = "".join(lines[len(lines) - tail :] if tail else [])
        return text if limit is None else text.encode()[:limit].decode("utf-8", "ignore")

    def _text(self, pod: Json, container: str, *, previous: bool) -> str:
        key = key_of(pod)
        for name in (container, ""):
            if (key, name, previous) in self._texts:
                return self._texts[(key, name, previous)]
        status: Json = next(
            (one for one in pod["status"].get("containerStatuses", ()) if one["name"] == container), {}
        )
        waiting = status.get("state", {}).get("waiting", {} if status else {"reason": "ContainerCreating"})
        if previous and not status.get("lastState"):
            raise bad_request(f'previous terminated container "{container}" in pod "{key[1]}" not found')
        if waiting and waiting["reason"] != "CrashLoopBackOff":
            pulling = waiting["reason"] in {"ErrImagePull", "ImagePullBackOff"}
            why = "trying and failing to pull image" if pulling else waiting["reason"]
            raise bad_request(f'container "{container}" in pod "{key[1]}" is waiting to start: {why}')
        return ""


def _container(request: Request, pod: Json) -> str:
    names = [entry["name"] for entry in pod["spec"]["containers"]]
    known = names + [entry["name"] for entry in pod["spec"].get("initContainers", ())]
    pod_name, wanted = pod["metadata"]["name"], request.query.get("container", "")
    if not wanted:
        if len(names) > 1:
            listed = " ".join(names)
            raise bad_request(
                f"a container name must be specified for pod {pod_name}, choose one of: [{listed}]"
            )
        return str(names[0])
    if wanted not in known:
        raise bad_request(f"container {wanted} is not valid for pod {pod_name}")
    return wanted


def _whole(request: Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        value = int(text)
    except ValueError as error:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error
    least = 1 if name == "limitBytes" else 0
    if value < least:
        why = "must be greater than 0" if least else "must be greater than or equal to 0"
        pod = request.asked.name
        raise _invalid_log(pod, Cause.invalid(name, str(value), why))
    return value


def _invalid_log(pod: str, cause: Cause) -> ApiError:
    return invalid("PodLogOptions", "", pod, [cause])
