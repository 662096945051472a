"""Pulling images: most are there; those that cannot be pulled are tried again after a back-off."""

from __future__ import annotations

from collections.abc import Callable

from remediator.testing.apiserver.controllers import pod_status
from remediator.testing.apiserver.controllers.life import Life
from remediator.testing.apiserver.objects import Json

_FIRST, _LONGEST = 10.0, 300.0
"""The first wait between two pulls and the longest, in seconds."""


def pull(life: Life, pod: Json, container: Json, *, again: Callable[[Json], None]) -> bool:
    """Whether the image is there. If not, the container's state says so (``pod`` is changed in place), and
    ``again`` is called with the pod once it could be pulled."""
    image, name = container.get("image", ""), container["name"]
    answer = life.cluster.behaviours.broken_images.get(image)
    if answer is None:
        life.tell(pod, name, "Pulled", f'Container image "{image}" already present on machine')
        return True
    failed = f'failed to pull and unpack image "{image}": {answer}'
    life.tell(pod, name, "Pulling", f'Pulling image "{image}"')
    life.tell(pod, name, "Failed", f'Failed to pull image "{image}": {failed}', warning=True)
    life.tell(pod, name, "Failed", "Error: ErrImagePull", warning=True)
    status = pod_status.status_of(pod, name)
    if status["state"].get("waiting", {}).get("reason") != "ImagePullBackOff":
        status["state"] = pod_status.waiting("ErrImagePull", failed)
    wait = min(_LONGEST, _FIRST * 2 ** (life.fail(name) - 1))
    life.soon(1.0, lambda now: _back_off(life, now, container, failed))
    life.soon(1.0 + wait, lambda now: _try_again(life, now, container, again))
    return False


def _back_off(life: Life, pod: Json, container: Json, failed: str) -> None:
    name, message = container["name"], f'Back-off pulling image "{container["image"]}"'
    life.tell(pod, name, "BackOff", message)
    life.tell(pod, name, "Failed", "Error: ImagePullBackOff", warning=True)
    state = pod_status.waiting("ImagePullBackOff", f"{message}: ErrImagePull: {failed}")
    pod_status.status_of(pod, name)["state"] = state
    life.report(pod)


def _try_again(life: Life, pod: Json, container: Json, again: Callable[[Json], None]) -> None:
    if pull(life, pod, container, again=again):
        life.failures[container["name"]] = 0
        again(pod)
