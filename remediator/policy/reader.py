"""``python -m remediator.policy.reader PATH``: reads policies for a daemon, and hands them over on stdout.

It ends with the daemon, however that ends: the daemon holds the other end of its stdin.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remediator.core.errors import PolicyError
    from remediator.core.policies import Policy

NICER = 10
"""By how much it steps back behind the daemon, which has alerts to take."""


def main() -> None:
    """Exit code 0 when something was handed over, be it that the policies have errors."""
    os.nice(NICER)
    threading.Thread(target=_end_with_the_daemon, daemon=True).start()
    from remediator.policy.handover import hand_over  # a third of a second of imports, after stepping back

    for piece in hand_over(_read(Path(sys.argv[1]))):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _read(source: Path) -> Policy | PolicyError:
    from remediator.core.errors import PolicyError  # as above
    from remediator.policy.load import load_policy

    try:
        return load_policy(source)
    except PolicyError as error:
        return error


def _end_with_the_daemon() -> None:
    while os.read(0, 1):  # not sys.stdin: at its own end, Python waits for whoever reads from that
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
