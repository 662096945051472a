"""``python -m remediator``: the ``remediator`` program, where its script is not on the path."""

from __future__ import annotations

from remediator.cli.main import main

if __name__ == "__main__":
    main()
