"""The fake API server as a process of its own."""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.stage import Process


class ApiServer(Process):
    """Listens, and has written a kubeconfig."""

    def __init__(self, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        command = [sys.executable, "-m", "remediator.testing.apiserver", "--kubeconfig", str(self.kubeconfig)]
        super().__init__("apiserver", command, folder)
        self.wait(lambda: self.log.read_text().startswith("http"))
        self._connection = http.client.HTTPConnection(urlsplit(self.log.read_text().split()[0]).netloc)

    def get(self, path: str) -> bytes:
        """The body there, on a connection that is kept."""
        self._connection.request("GET", path)
        return self._connection.getresponse().read()

    def requests(self) -> list[dict[str, Any]]:
        """What it was asked so far; ``at`` is the machine's monotonic clock."""
        found: list[dict[str, Any]] = json.loads(self.get("/-/fake/requests"))
        return found
