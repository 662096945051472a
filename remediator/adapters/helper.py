"""Our own programs as processes beside the daemon, for work that would keep its event loop waiting."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

from remediator.core.errors import Refused

LARGEST_ANSWER = 256 << 20
"""Bytes."""
ENDS_WITHIN = 300.0
"""Seconds. Ten thousand rules take ten on a machine that does nothing else."""


async def run_helper(module: str, *arguments: str, within: float = ENDS_WITHIN) -> bytes:
    """What ``python -m module`` writes to its standard output. Raises Refused when it does not end well.

    It gets none of our settings, which hold secrets. When the caller is cancelled it is killed; when we are
    killed its standard input ends, and it has to end with that.
    """
    process = await _start(module, *arguments)
    try:
        async with asyncio.timeout(within):
            answer = await _read(process)
            code = await process.wait()
    except TimeoutError:
        raise Refused(f"it did not end within {within:.0f} s") from None
    finally:
        await _end(process)
    if code:
        raise Refused(f"it ended with {f'exit code {code}' if code > 0 else f'signal {-code}'}")
    return answer


async def _start(module: str, *arguments: str) -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", module, *arguments),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the daemon, which ends it
        )
    except OSError as error:  # no memory, no process or no file descriptor to be had
        raise Refused(f"it could not be started ({error.strerror})") from None


def _environment() -> dict[str, str]:
    """Ours without the settings; modules are found where we found them, and not in the working directory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REMEDIATOR_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


async def _read(process: Process) -> bytes:
    assert process.stdout is not None
    answer = bytearray()
    while piece := await process.stdout.read(1 << 16):
        answer += piece
        if len(answer) > LARGEST_ANSWER:
            raise Refused(f"it answered more than {LARGEST_ANSWER} bytes")
    return bytes(answer)


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
    if process.stdin is not None:
        process.stdin.close()
