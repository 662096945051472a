"""What a declared action, check or diagnosis is: a plugin without the part that does something.

To make it one that is performed, move its class and its parameters into a file of ``remediator.actions``,
``checks`` or ``diagnoses``, give it what is missing there, and take it out of the registry here.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from remediator.core.plugins import EffectClass, Params


class Declared(Protocol):
    """A kind of check or diagnosis whose parameters are known and that this version does not perform."""

    name: ClassVar[str]
    params: ClassVar[type[Params]]
    example: ClassVar[str]


class DeclaredAction(Declared, Protocol):
    """A kind of step of which the same is true."""

    effect: ClassVar[EffectClass]
