"""``python -m remediator.testing.apiserver``: the fake API server as a process of its own.

Prints its URL on the first line of standard output when it listens; ends on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from remediator.testing.apiserver import ADMIN, TOKEN, FakeApiServer, Pace
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.striking import server_context, until_stopped


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m remediator.testing.apiserver", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--kubeconfig", type=Path, help="write a kubeconfig for this server here")
    parser.add_argument(
        "--manifest", type=Path, action="append", default=[], help="YAML or JSON, may be repeated"
    )
    parser.add_argument("--token", default=TOKEN, help="the bearer token of its one user")
    parser.add_argument("--cert", type=Path, help="server certificate (PEM); with --key, speaks TLS")
    parser.add_argument("--key", type=Path)
    parser.add_argument("--ca", type=Path, help="CA certificate (PEM) for the kubeconfig")
    parser.add_argument(
        "--ready-after", type=float, default=Pace.ready_after, help="seconds until a pod is ready"
    )
    parser.add_argument(
        "--second", type=float, default=Pace.second, help="length of a second of its own deadlines"
    )
    return parser.parse_args(argv)


def _manifests(paths: Sequence[Path]) -> list[Json]:
    reader = YAML(typ="safe", pure=True)
    return [document for path in paths for document in reader.load_all(path.read_text()) if document]


async def _serve(options: argparse.Namespace) -> None:
    stop = until_stopped()
    pace = Pace(ready_after=options.ready_after, second=options.second)
    server = FakeApiServer(
        host=options.host,
        port=options.port,
        tls=server_context(options.cert, options.key),
        ca=options.ca.read_bytes() if options.ca else None,
        users={options.token: ADMIN},
        pace=pace,
    )
    for manifest in _manifests(options.manifest):
        server.create(manifest)
    async with server:
        if options.kubeconfig is not None:
            server.kubeconfig(options.kubeconfig)
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await stop.wait()


def main(argv: Sequence[str] | None = None) -> None:
    """Run until a signal ends it."""
    asyncio.run(_serve(_arguments(argv)))


if __name__ == "__main__":
    main()
