"""Bodies of answers, read no further than is wanted, and what they say of coming again."""

from __future__ import annotations

import aiohttp

from remediator.core.times import HOUR, SECOND, Millis


async def read_beginning(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """At most ``limit`` bytes of the body; a connection that holds more is not used again."""
    pieces, size = [], 0
    while size < limit and (piece := await response.content.read(limit - size)):
        pieces.append(piece)
        size += len(piece)
    if not response.content.at_eof():
        response.close()
    return b"".join(pieces)


def retry_after(response: aiohttp.ClientResponse) -> Millis | None:
    """Milliseconds of a Retry-After in seconds, at most an hour. None for anything else."""
    text = response.headers.get("Retry-After", "")
    if not (text.isascii() and text.isdigit()):
        return None
    return Millis(min(int(text[:9]) * SECOND, HOUR)) or None
