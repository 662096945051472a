"""The way to one Redis server: a few connections, each trip bounded in time, no reply ever left behind.

Every trip owns its connection until all of its replies are read. One that ends in any other way, by an
error, a timeout or a cancellation (P16), closes the connection, so that nobody reads its late reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import hiredis
from redis.exceptions import MovedError, NoScriptError, RedisError, ResponseError

from remediator.adapters.redis.dial import AnyConnection, Dialer
from remediator.adapters.redis.faults import unavailable, unopened
from remediator.adapters.redis.lua import Arg, Call, Script
from remediator.core.errors import StoreUnavailable

TRIP_WITHIN = 3.0
"""Seconds from asking for a connection to the last reply."""

Command = tuple[Arg, ...]
Timed = Callable[[float, bool], None]
_pack: Callable[[Command], bytes] = hiredis.pack_command  # type: ignore[assignment]  # typed as if it took one word
"""A tenth of the time of the client's own."""


class Link:
    """At most ``size`` connections, dialled when they are needed. The server knows them as ``name``.

    ``timed`` is told how long every trip took, in seconds, and whether it was answered.
    """

    def __init__(
        self, dialer: Dialer, *, size: int = 16, name: str = "remediator", timed: Timed | None = None
    ) -> None:
        self._dialer = dialer
        self._timed = timed
        self._address = dialer.address
        self._name = name
        self._idle: asyncio.LifoQueue[AnyConnection | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._idle.put_nowait(None)
        self.connects = 0
        """How many connections were opened so far: when it grows, the server may be another one."""

    async def run(self, *commands: Command, within: float = TRIP_WITHIN) -> list[Any]:
        """Send ``commands`` in one go and read their replies. Raises the first error among them.

        ``within``: seconds. Raises StoreUnavailable when the server cannot be reached or is too slow, and
        redis.ResponseError for answers that only the caller can understand.
        """
        replies = await self.ask(*commands, within=within)
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        return replies

    async def ask(self, *commands: Command, within: float = TRIP_WITHIN) -> list[Any]:
        """As ``run``, but a ``redis.ResponseError`` among the replies is a value."""
        if self._timed is None:
            return await self._ask(commands, within)
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            replies = await self._ask(commands, within)
        except StoreUnavailable:
            self._timed(clock() - begun, False)  # a callable has no names for what it is given
            raise
        self._timed(clock() - begun, True)
        return replies

    async def _ask(self, commands: Sequence[Command], within: float) -> list[Any]:
        try:
            async with asyncio.timeout(within):
                replies = await self._trip(commands)
                moved = next((reply for reply in replies if isinstance(reply, MovedError)), None)
                if moved is not None:
                    await self._follow(moved)
                    replies = await self._trip(commands)
                return replies
        except (RedisError, OSError, TimeoutError, StoreUnavailable) as error:
            self._address = self._dialer.address
            raise unavailable(error) from None

    async def _trip(self, commands: Sequence[Command]) -> list[Any]:
        connection = await self._idle.get()
        clean = False
        try:
            connection = await self._ready(connection)
            packed = b"".join(map(_pack, commands))
            await connection.send_packed_command(packed, check_health=False)
            replies = [await _reply(connection) for _ in commands]
            clean = True
        finally:
            if not clean and connection is not None:
                await connection.disconnect(nowait=True)
            self._idle.put_nowait(connection if clean else None)
        return replies

    async def _ready(self, connection: AnyConnection | None) -> AnyConnection:
        """An open connection with nothing left to read on it."""
        if connection is not None and connection.is_connected:
            if not await connection.can_read():
                return connection
            await connection.disconnect(nowait=True)
        fresh = self._dialer.dial(self._address, self._name)
        try:
            await fresh.connect()  # type: ignore[no-untyped-call]  # the library leaves it bare
        except (RedisError, OSError) as error:
            await fresh.disconnect(nowait=True)
            raise unopened(error, tls=self._address.scheme == "rediss") from None
        except BaseException:
            await fresh.disconnect(nowait=True)
            raise
        self.connects += 1
        return fresh

    async def _follow(self, moved: MovedError) -> None:
        """Our slot, and with it every key of ours, lives on another node of the cluster."""
        self._address = self._address.at(moved.host, moved.port)
        await self.close()

    async def script(self, script: Script, call: Call, *after: Command) -> list[Any]:
        """Run a script and ``after`` it, on the same connection. Loads it where the server has lost it."""
        spelled = (len(call.keys), *call.keys, *call.args)
        try:
            return await self.run(("EVALSHA", script.sha, *spelled), *after)
        except NoScriptError:
            return await self.run(("EVAL", script.text, *spelled), *after)

    async def close(self) -> None:
        """Close what is idle. Trips under way close theirs when they end."""
        idle = [self._idle.get_nowait() for _ in range(self._idle.qsize())]
        for connection in idle:
            self._idle.put_nowait(None)
            if connection is not None:
                with suppress(RedisError, OSError):
                    await connection.disconnect()


async def _reply(connection: AnyConnection) -> Any:
    """One reply; an error reply is a value, so that the replies after it are still read."""
    try:
        return await connection.read_response(disable_decoding=True, disconnect_on_error=False)
    except ResponseError as error:
        return error
