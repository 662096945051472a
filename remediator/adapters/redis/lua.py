"""The Lua scripts, loaded from their files with the common part in front, and how a call is spelled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TypeVar

T = TypeVar("T")
Arg = str | int | bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """A script and the digest that the server knows it by."""

    name: str
    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """The script in ``scripts/<name>.lua``, the common part in front."""
    folder = files("remediator.adapters.redis").joinpath("scripts")
    text = "\n".join(folder.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in ("common", name))
    return Script(name=name, text=text, sha=hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


@dataclass(slots=True)
class Call:
    """The keys and arguments of one call, in the order in which the script reads them."""

    keys: list[str] = field(default_factory=list)
    args: list[Arg] = field(default_factory=list)

    def key(self, *keys: str) -> None:
        """Keys that are read one by one."""
        self.keys.extend(keys)

    def arg(self, *args: Arg) -> None:
        """Arguments that are read one by one."""
        self.args.extend(args)

    def each(self, items: Iterable[T], write: Callable[[T], None]) -> None:
        """A list: its length, then what ``write`` adds for each item."""
        place = len(self.args)
        self.args.append(0)
        count = 0
        for item in items:
            write(item)
            count += 1
        self.args[place] = count
