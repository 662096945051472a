r"""How large the regular expressions of policy files may become.

``\pL{100}`` is eight characters, two megabytes and a tenth of a second: a file of a few kilobytes could
exhaust who reads it. What is counted is an upper bound that text alone tells, before anything is compiled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MOST_EFFORT = 10_000_000
"""Of all files together, in instructions: about ten seconds and two hundred megabytes. Ten thousand rules
with ``[a-z0-9]{10}`` in them need a third of it."""

REPEAT_LESS = "write smaller numbers in their braces"
_REPETITION = re.compile(r"(\)?)\{([0-9]{1,4})(?:,([0-9]{0,4}))?\}", re.ASCII)
_CLASS = re.compile(r"\\(?:([pP])|[wWdDsS])")
_LARGE, _SMALL = 1_200, 100
"""Instructions of ``\\pL``; and of ``\\w``, which is one only for the parser of queries (it thinks in
Unicode, and is quicker)."""
_MOST_TIMES = 1_000
"""RE2 refuses what is repeated more often, groups in groups included."""


def effort(text: str) -> int:
    """How many instructions ``text`` may become as an expression; 0: about as many as its characters."""
    times = groups = 1
    for group, least, most in _REPETITION.findall(text):
        own = max(int(least), int(most or 0), 1)
        times, groups = (times, min(groups * own, _MOST_TIMES)) if group else (max(times, own), groups)
    times = min(times * groups, _MOST_TIMES)
    large = _CLASS.findall(text)
    classes = sum(_LARGE if each else _SMALL for each in large)
    return (len(text) + classes) * times if times > 1 or any(large) else 0


@dataclass(kw_only=True, slots=True)
class Effort:
    """Adds up what the texts of a directory need, each once: an expression is compiled once."""

    spent: int = 0
    _seen: set[str] = field(default_factory=set)

    def spend(self, text: str) -> bool:
        """Whether there is still room for ``text``."""
        own = 0 if "\\" not in text and "{" not in text else effort(text)
        if own and text not in self._seen:
            self._seen.add(text)
            self.spent += own
        return self.spent <= MOST_EFFORT
