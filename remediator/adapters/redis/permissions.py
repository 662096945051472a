"""What our user of Redis must be allowed: nothing more is used, and nothing less is enough."""

from __future__ import annotations

ALWAYS = (
    *("client|setname", "del", "eval", "evalsha", "exists", "get", "hdel", "hget", "hincrby", "hmget"),
    *("hset", "hsetnx", "incr", "lrange", "ltrim", "mget", "persist", "pexpire", "pexpireat", "ping"),
    *("rpush", "sadd", "scard", "set", "sismember", "srem", "sscan", "time", "xack", "xadd", "xautoclaim"),
    *("xclaim", "xdel", "xgroup|create", "xlen", "xpending", "xrange", "xreadgroup", "xrevrange"),
    *("zadd", "zcard", "zcount", "zincrby", "zpopmin", "zrange", "zrangebyscore", "zrem"),
    *("zremrangebyscore", "zrevrange", "zrevrangebyscore", "zscore"),
)
"""Commands, from the scripts too, spelled as rules spell them."""

EXAMINING = ("command|info", "config|get", "info")
"""How we learn whether the server keeps what it acknowledges. Not needed with REDIS_DURABILITY=weak."""

WAITING = ("wait", "waitaof")
"""Needed where there are replicas; where ``appendfsync`` is not ``always``."""

SELECTING = "select"
"""Needed for a database other than 0."""


def rule(prefix: str, *, more: tuple[str, ...] = ()) -> str:
    """What follows ``on >PASSWORD`` in an ACL SETUSER, with ``more`` of what is not always needed."""
    grants = " ".join(f"+{command}" for command in (*ALWAYS, *EXAMINING, *more))
    return f"~{{{prefix}}}:* resetchannels -@all {grants}"
