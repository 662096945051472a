"""``set_image``: give a container another image."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from remediator.actions.templating import chosen, must_roll_out, still
from remediator.core.changes import Change, SetContainerImage
from remediator.core.cluster import Need, Snapshot
from remediator.core.errors import Refused
from remediator.core.images import ImageText
from remediator.core.plugins import TARGET, EffectClass, Params, Permission, on_target
from remediator.core.times import Instant
from remediator.core.values import ObjectName


class SetImageParams(Params):
    """Parameters of ``set_image``."""

    container: ObjectName = Field(
        default="", description="The container whose image is set. Default: the only one there is."
    )
    image: ImageText = Field(description="The image, with a tag or a digest.")


class SetImage:
    """Give a container another image, as ``kubectl set image``; its pods are replaced by a rollout.

    Fenced: it is made only while that container stands where it stood, with the image that was seen. One that
    has the image already is left alone. Its inverse is the image of before.
    """

    name: ClassVar[str] = "set_image"
    params: ClassVar[type[Params]] = SetImageParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        on_target("patch", "set the image in the workload's template", acting=True),
    )
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    needs: ClassVar[frozenset[Need]] = frozenset()
    fenced_on: ClassVar[str] = TARGET
    invertible: ClassVar[bool] = True
    example: ClassVar[str] = "set_image: {container: web, image: 'registry.example.com/shop/web:1.4.2'}"

    def disrupts(self, params: Params) -> bool:
        """A rollout may begin with healthy pods."""
        return True

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One change of the image, or none when it is as wanted.

        Raises Refused for a container that is not there or not named among several, and while rollouts are
        paused.
        """
        assert isinstance(params, SetImageParams)
        target = seen.workload
        index, container = chosen(params.container, target)
        if container.image == params.image:
            return ()
        must_roll_out(target)
        return (
            SetContainerImage(
                target=target.ref,
                uid=target.uid,
                container=container.name,
                index=index,
                seen=container.image,
                image=params.image,
            ),
        )

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """The image of before. Raises Refused when it has another by now, or had none that can be named."""
        assert isinstance(change, SetContainerImage)
        container = still(change.index, change.container, now.workload)
        if container.image != change.image:
            what = f"container {change.container} of {change.target}"
            raise Refused(f"{what} has image {container.image} by now, not {change.image}")
        if not change.seen:
            raise Refused(f"container {change.container} of {change.target} named no image before")
        return SetContainerImage(
            target=change.target,
            uid=change.uid,
            container=change.container,
            index=change.index,
            seen=change.image,
            image=change.seen,
        )
