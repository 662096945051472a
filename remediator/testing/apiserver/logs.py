"""The log subresource of pods: what a test has set, or a program has written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from remediator.testing.apiserver.bodies import Request
from remediator.testing.apiserver.objects import Json, Key, Wall, key_of, utc_now
from remediator.testing.apiserver.statuses import ApiError, Cause, bad_request, invalid, unsupported

_UNSUPPORTED = ("stream", "insecureSkipTLSVerifyBackend")
_TRUE = {"true", "1"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line with its line break, and when it was written."""

    at: datetime
    text: str


@dataclass(frozen=True, kw_only=True)
class Options:
    """What part of a log was asked for."""

    container: str
    previous: bool
    follow: bool
    timestamps: bool
    tail: int | None
    limit: int | None
    since: datetime | None

    def chosen(self, lines: list[Line]) -> list[Line]:
        """The lines after ``since``, of those the last ``tail``."""
        found = [line for line in lines if self.since is None or line.at >= self.since]
        return found if self.tail is None else found[max(0, len(found) - self.tail) :]

    def shown(self, lines: list[Line]) -> str:
        """The lines as they are answered."""
        return "".join(
            f"{line.at.strftime('%Y-%m-%dT%H:%M:%S.%f')}000Z {line.text}" if self.timestamps else line.text
            for line in lines
        )


@dataclass(kw_only=True)
class Logs:
    """Lines by pod, container (empty: the first or only one) and whether they are the previous run's."""

    wall: Wall = utc_now
    _lines: dict[tuple[Key, str, bool], list[Line]] = field(default_factory=dict)
    _listeners: list[Callable[[], None]] = field(default_factory=list)

    def set(self, key: Key, text: str, *, container: str = "", previous: bool = False) -> None:
        """What a container has written; without a container, the first or only one."""
        self._lines[(key, container, previous)] = self._split(text)
        self._changed()

    def append(self, key: Key, text: str, *, container: str = "") -> None:
        """What a container writes now; who follows its log sees it."""
        place = (key, container, False)
        self._lines[place] = [*self._lines.get(place, ()), *self._split(text)]
        self._changed()

    def begin(self, key: Key, container: str, text: str, *, again: bool) -> None:
        """A run begins and writes its text; ``again``: what was there is the previous run's from now on."""
        if again:
            for name in (container, ""):
                if (key, name, False) in self._lines:
                    self._lines[(key, container, True)] = self._lines.pop((key, name, False))
                    break
            else:
                self._lines[(key, container, True)] = []
        if text or again:
            self.set(key, text, container=container)

    def forget(self, key: Key) -> None:
        """The pod is gone, and its logs with it."""
        for place in [place for place in self._lines if place[0] == key]:
            del self._lines[place]

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` on every change from now on; the answer ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _split(self, text: str) -> list[Line]:
        now = self.wall()
        return [Line(at=now, text=line) for line in text.splitlines(keepends=True)]

    def _changed(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def options(self, request: Request, pod: Json) -> Options:
        """What a log request asks for. Raises ApiError 400, 422 or 501."""
        for option in _UNSUPPORTED:
            if request.query.get(option, "false") not in {"false", ""}:
                raise unsupported(f"the log option {option}")
        return Options(
            container=container_of(pod, request.query.get("container", "")),
            previous=request.query.get("previous") in _TRUE,
            follow=request.query.get("follow") in _TRUE,
            timestamps=request.query.get("timestamps") in _TRUE,
            since=self._since(request),
            tail=_whole(request, "tailLines", least=0),
            limit=_whole(request, "limitBytes", least=1),
        )

    def _since(self, request: Request) -> datetime | None:
        seconds, time = _whole(request, "sinceSeconds", least=1), request.query.get("sinceTime")
        if seconds is not None and time is not None:
            why = "at most one of `sinceTime` or `sinceSeconds` may be specified"
            raise invalid("PodLogOptions", "", request.asked.name, [Cause.forbidden("[]", why)])
        if seconds is not None:
            return self.wall() - timedelta(seconds=seconds)
        try:
            return None if time is None else datetime.fromisoformat(time)
        except ValueError as error:
            raise bad_request(f'parsing time "{time}": {error}') from error

    def read(self, pod: Json, options: Options) -> str:
        """The text of a log that is not followed. Raises ApiError 400 when there is none."""
        text = options.shown(options.chosen(self.lines(pod, options)))
        return text if options.limit is None else text.encode()[: options.limit].decode("utf-8", "ignore")

    def lines(self, pod: Json, options: Options) -> list[Line]:
        """What the container has written. Raises ApiError 400 when it has not run."""
        key, container = key_of(pod), options.container
        for name in (container, ""):
            if (key, name, options.previous) in self._lines:
                return self._lines[(key, name, options.previous)]
        _check_has_run(pod, container, previous=options.previous)
        return []


def _check_has_run(pod: Json, container: str, *, previous: bool) -> None:
    """Raises ApiError 400 when the container has never run (or not before, where that was asked for)."""
    name = pod["metadata"]["name"]
    statuses = pod["status"].get("containerStatuses", ())
    status: Json = next((one for one in statuses if one["name"] == container), {})
    waiting = status.get("state", {}).get("waiting", {} if status else {"reason": "ContainerCreating"})
    if previous and not status.get("lastState"):
        raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    if waiting and waiting["reason"] != "CrashLoopBackOff":
        pulling = waiting["reason"] in {"ErrImagePull", "ImagePullBackOff"}
        why = "trying and failing to pull image" if pulling else waiting["reason"]
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {why}')


def container_of(pod: Json, wanted: str) -> str:
    """The container that is meant. Raises ApiError 400 when there is no such, or more than one."""
    names = [entry["name"] for entry in pod["spec"]["containers"]]
    known = names + [entry["name"] for entry in pod["spec"].get("initContainers", ())]
    pod_name = pod["metadata"]["name"]
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


def _whole(request: Request, name: str, *, least: int) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        value = int(text)
    except ValueError as error:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error
    if value < least:
        why = "must be greater than 0" if least else "must be greater than or equal to 0"
        cause = Cause.invalid(name, str(value), why)
        raise invalid("PodLogOptions", "", request.asked.name, [cause])
    return value


def dead_kubelet(address: str, pod: Json, container: str) -> ApiError:
    """The node of the pod does not answer."""
    where = "/".join((*key_of(pod), container))
    url = f"https://{address}:10250/containerLogs/{where}"
    return ApiError(500, "", f'Get "{url}": dial tcp {address}:10250: connect: connection refused')
