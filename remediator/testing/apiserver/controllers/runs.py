"""The runs of a container: begun, ready, probed, ended, and begun again after a back-off."""

from __future__ import annotations

from remediator.testing.apiserver.controllers import pod_status
from remediator.testing.apiserver.controllers.life import Life
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.programs import KILLED, Run

LONGEST = 300.0
"""The longest wait between two runs, in seconds."""
_FIRST = 10.0
_FORGIVEN_AFTER = 600.0
"""A run of so many seconds starts the back-off anew."""


def begin(life: Life, pod: Json, name: str) -> None:
    """The next run of a container; ``pod`` is changed in place."""
    run, now, status = life.run_of(name), life.cluster.timestamp(), pod_status.status_of(pod, name)
    life.tell(pod, name, "Created", f"Created container: {name}")
    life.tell(pod, name, "Started", f"Started container {name}")
    life.logs.begin(life.key, name, run.log, again=bool(status["restartCount"]))
    life.since[name] = life.cluster.clock()
    status["state"] = pod_status.running(now)
    status["imageID"] = f"sha256:{pod_status.identity(pod, status['image'], 0)[13:]}"
    status["containerID"] = pod_status.identity(pod, name, status["restartCount"])
    status |= {"started": True, "ready": run.ready and not _probe(pod, name, "readinessProbe")}
    if run.ends_after == 0:
        _terminate(status, run, now)


def follow(life: Life, pod: Json, name: str) -> None:
    """Arrange for what becomes of the run that has just been reported."""
    run = life.run_of(name)
    if run.ends_after == 0:
        _after_end(life, pod, name)
        return
    if run.ready and not pod_status.status_of(pod, name)["ready"]:
        soon = life.cluster.pace.lag / life.cluster.pace.second
        life.soon(soon, lambda now: _set_ready(life, now, name, ready=True), settle=True)
    elif not run.ready and (probe := _probe(pod, name, "readinessProbe")):
        life.soon(probe["periodSeconds"], lambda now: _unhealthy(life, now, name, "Readiness", probe))
    if run.ends_after is not None:
        for_good = pod["spec"]["restartPolicy"] == "Never"
        life.soon(run.ends_after, lambda now: _exit(life, now, name, run), settle=for_good)
    if run.hangs_after is not None:
        _hang(life, pod, name, run.hangs_after)


def probe_anew(life: Life, container: Json) -> None:
    """Begin to probe a container that runs: it is not ready until its readiness probe succeeds."""
    name, lag = container["name"], life.cluster.pace.lag / life.cluster.pace.second
    if not container.get("readinessProbe"):
        return
    life.soon(3 * lag, lambda now: _set_ready(life, now, name, ready=False), settle=True)
    if life.run_of(name).ready:
        life.soon(6 * lag, lambda now: _set_ready(life, now, name, ready=True), settle=True)


def _probe(pod: Json, name: str, which: str) -> Json:
    container = next(one for one in pod["spec"]["containers"] if one["name"] == name)
    found: Json = container.get(which) or {}
    return found


def _hang(life: Life, pod: Json, name: str, after: float) -> None:
    """From then on its probes fail: it is not ready any more, and a liveness probe has it killed."""
    if probe := _probe(pod, name, "readinessProbe"):
        noticed = after + probe["failureThreshold"] * probe["periodSeconds"]
        life.soon(noticed, lambda now: _set_ready(life, now, name, ready=False))
    if probe := _probe(pod, name, "livenessProbe"):
        period, failures = probe["periodSeconds"], probe["failureThreshold"]
        for number in range(1, failures + 1):
            life.soon(after + number * period, lambda now: _unhealthy(life, now, name, "Liveness", probe))
        noticed = after + failures * period
        message = f"Container {name} failed liveness probe, will be restarted"
        life.soon(noticed, lambda now: life.tell(now, name, "Killing", message))
        grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
        life.soon(noticed + grace, lambda now: _killed(life, now, name))


def _unhealthy(life: Life, pod: Json, name: str, which: str, probe: Json) -> None:
    why = "HTTP probe failed with statuscode: 503" if "httpGet" in probe else ""
    life.tell(pod, name, "Unhealthy", f"{which} probe failed: {why}", warning=True)


def _killed(life: Life, pod: Json, name: str) -> None:
    """A container that was killed for its liveness is replaced in one step, the first time."""
    run = Run(exit_code=KILLED)
    if life.failures.get(name, 0):
        _exit(life, pod, name, run)
        return
    _terminate(pod_status.status_of(pod, name), run, life.cluster.timestamp())
    life.fail(name)
    _restart(life, pod, name)


def _set_ready(life: Life, pod: Json, name: str, *, ready: bool) -> None:
    status = pod_status.status_of(pod, name)
    if "running" in status["state"]:
        status["ready"] = ready
        life.report(pod)


def _terminate(status: Json, run: Run, now: str) -> None:
    started = status["state"].get("running", {}).get("startedAt", now)
    state = pod_status.terminated(
        run.exit_code, run.ending, started=started, finished=now, message=run.message
    )
    state["terminated"]["containerID"] = status.get("containerID", "")
    status |= {"state": state, "ready": False, "started": False}


def _exit(life: Life, pod: Json, name: str, run: Run) -> None:
    _terminate(pod_status.status_of(pod, name), run, life.cluster.timestamp())
    life.report(pod)
    _after_end(life, pod, name)


def _after_end(life: Life, pod: Json, name: str) -> None:
    """After an end that was reported: the next run, now or after a back-off, or the end of the pod."""
    if not pod_status.restarts_after(pod, pod_status.status_of(pod, name)["state"]):
        if pod_status.ended(pod):
            life.soon(1.0, lambda now: life.report(now, sandbox=False), settle=True)
        return
    if life.cluster.clock() - life.since[name] >= _FORGIVEN_AFTER * life.cluster.pace.second:
        life.failures[name] = 0
    failures = life.fail(name)
    if failures == 1:
        life.soon(1.0, lambda now: _restart(life, now, name))
        return
    wait = min(LONGEST, _FIRST * 2 ** (failures - 2))
    namespace, pod_name = life.key
    where = f"{pod_name}_{namespace}({life.uid})"
    life.tell(
        pod, name, "BackOff", f"Back-off restarting failed container {name} in pod {where}", warning=True
    )
    life.soon(1.0, lambda now: _hold(life, now, name, wait))
    life.soon(wait, lambda now: _restart(life, now, name))


def _hold(life: Life, pod: Json, name: str, seconds: float) -> None:
    hold_back(pod, name, seconds)
    life.report(pod)


def hold_back(pod: Json, name: str, seconds: float) -> None:
    """A container waits before its next run; ``pod`` is changed in place."""
    meta, status = pod["metadata"], pod_status.status_of(pod, name)
    minutes, rest = divmod(int(seconds), 60)
    shown = f"{minutes}m{rest}s" if minutes else f"{rest}s"
    where = f"pod={meta['name']}_{meta['namespace']}({meta['uid']})"
    message = f"back-off {shown} restarting failed container={name} {where}"
    if "terminated" in status["state"]:
        status["lastState"] = status["state"]
    status["state"] = pod_status.waiting("CrashLoopBackOff", message)


def _restart(life: Life, pod: Json, name: str) -> None:
    status = pod_status.status_of(pod, name)
    if "terminated" in status["state"]:
        status["lastState"] = status["state"]
    status["restartCount"] += 1
    life.runs[name] = life.runs.get(name, 0) + 1
    life.tell(pod, name, "Pulled", f'Container image "{status["image"]}" already present on machine')
    begin(life, pod, name)
    life.report(pod)
    follow(life, pod, name)
