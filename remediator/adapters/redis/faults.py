"""What goes wrong on the way to Redis, said plainly (P2). No text here carries the URL or its password."""

from __future__ import annotations

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from remediator.core.errors import StoreUnavailable

_NAMED = {
    "BUSY": "Redis is busy with a script that runs too long; see SLOWLOG, and SCRIPT KILL if it is not ours",
    "OOM": "Redis is out of memory; raise maxmemory, or lower RETENTION",
    "READONLY": "Redis is a read-only replica; point REDIS_URL at the master",
    "NOREPLICAS": "Redis has fewer replicas than min-replicas-to-write asks for; bring the replicas back",
    "LOADING": "Redis is still loading its data; wait until it is done",
    "MISCONF": "Redis cannot write to its disk; look at its log and at the free space",
    "MASTERDOWN": "Redis is a replica that has lost its master; point REDIS_URL at the master",
    "CLUSTERDOWN": "the Redis cluster does not serve our slot; see CLUSTER INFO",
    "MOVED": "the Redis cluster moved our slot just now; it is followed at the next try",
    "NOAUTH": "Redis asks for a password; put it into REDIS_URL",
    "WRONGPASS": "Redis refuses the user or password of REDIS_URL",
    "NOPERM": "Redis refuses us a command; give the user of REDIS_URL +@all on its own keys",
    "UNKILLABLE": "Redis is busy with a script that has written and cannot be ended; wait for it",
    "WAITAOF": "Redis did not write its append-only file in time; look at the load of its disk",
}


def unavailable(error: BaseException) -> StoreUnavailable:
    """The StoreUnavailable that says what ``error`` means and what to do."""
    if isinstance(error, StoreUnavailable):
        return error
    if isinstance(error, TimeoutError) and not isinstance(error, RedisError):
        return StoreUnavailable("Redis did not answer in time; look at its load and at the network")
    text = str(error)
    code = _code(error, text)
    if code in _NAMED:
        return StoreUnavailable(_NAMED[code])
    if isinstance(error, ResponseError):
        return StoreUnavailable(f"Redis answered with an error: {text[:200]}")
    return StoreUnavailable(
        f"Redis cannot be reached ({type(error).__name__}); see that it runs and that REDIS_URL points to it"
    )


def _code(error: BaseException, text: str) -> str:
    """The server's error code. The library cuts the code off some messages and makes it a class."""
    if isinstance(error, AuthenticationError):
        return "WRONGPASS" if "WRONGPASS" in text or "invalid" in text.lower() else "NOAUTH"
    if isinstance(error, NoPermissionError):
        return "NOPERM"
    first = text.split(" ", 1)[0].lstrip("-")
    if first in _NAMED:
        return first
    by_class = {
        "OutOfMemoryError": "OOM",
        "ReadOnlyError": "READONLY",
        "BusyLoadingError": "LOADING",
        "MasterDownError": "MASTERDOWN",
        "ClusterDownError": "CLUSTERDOWN",
        "MovedError": "MOVED",
    }
    found = by_class.get(type(error).__name__)
    if found is not None:
        return found
    # Inside a script 6.2 reports the error's text in a sentence of its own.
    for code, marks in _MARKS.items():
        if any(mark in text for mark in marks):
            return code
    return ""


_MARKS = {
    "OOM": ("OOM command not allowed", "command not allowed when used memory"),
    "READONLY": ("READONLY You can't write", "can't write against a read only"),
    "NOREPLICAS": ("NOREPLICAS", "Not enough good replicas"),
    "MISCONF": ("MISCONF", "is configured to save RDB snapshots", "Errors writing to the AOF"),
    "BUSY": ("BUSY Redis is busy", "is busy running a script"),
    "LOADING": ("is loading the dataset",),
    "MASTERDOWN": ("MASTERDOWN",),
}
