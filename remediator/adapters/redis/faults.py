"""What goes wrong on the way to Redis, said plainly (P2). No text here carries the URL or its password."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Iterator

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeout

from remediator.adapters.redis.permissions import ALWAYS, EXAMINING
from remediator.adapters.redis.tls import meaning
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
    "NOAUTH": "Redis asks for a password; set REDIS_PASSWORD, or put it into REDIS_URL",
    "WRONGPASS": "Redis refuses our user name or password; correct REDIS_USERNAME and REDIS_PASSWORD, or "
    "REDIS_URL where they stand in it",
    "NOPASS": "Redis has no password for its default user, but we were given one; take it out of "
    "REDIS_PASSWORD or REDIS_URL, or name the user it belongs to",
    "NOPERM": "Redis refuses our user a command; grant it what docs/redis.md lists",
    "NOKEYS": "Redis refuses our user a key; grant it all keys of REDIS_PREFIX, by default ~{remediator}:*",
    "UNKILLABLE": "Redis is busy with a script that has written and cannot be ended; wait for it",
    "WAITAOF": "Redis did not write its append-only file in time; look at the load of its disk",
}


def unavailable(error: BaseException) -> StoreUnavailable:
    """The StoreUnavailable that says what ``error`` means and what to do."""
    if isinstance(error, StoreUnavailable):
        return error
    if isinstance(error, TimeoutError) and not isinstance(error, RedisError):
        return StoreUnavailable("Redis did not answer in time; look at its load and at the network")
    tls = _handshake(error)
    if tls is not None:
        return StoreUnavailable(meaning(tls))
    error = _refusal_within(error)
    text = str(error)
    code = _code(error, text)
    command = _COMMAND.search(text)
    if code == "NOPERM" and command is not None:
        return StoreUnavailable(forbidden([_as_granted(command[1].lower())]))
    if code in _NAMED:
        return StoreUnavailable(_NAMED[code])
    if isinstance(error, ResponseError):
        return StoreUnavailable(f"Redis answered with an error: {text[:200]}")
    return StoreUnavailable(
        f"Redis cannot be reached ({type(error).__name__}); see that it runs and that REDIS_URL points to it"
    )


def unopened(error: BaseException, *, tls: bool) -> StoreUnavailable:
    """As ``unavailable``, for a connection that never came to stand: where no better is known, what a server
    that is spoken to in the wrong way looks like. ``tls``: whether we spoke TLS."""
    if not isinstance(error, RedisError | OSError) or _handshake(error) is not None:
        return unavailable(error)
    if tls and isinstance(error, TimeoutError | RedisTimeout):
        return StoreUnavailable(
            "Redis did not finish the TLS handshake in time; see that REDIS_URL names its TLS port, and look "
            "at its load and at the network"
        )
    if "max number of clients" in str(error):
        return StoreUnavailable("Redis has no room for another client; raise maxclients")
    if any(isinstance(each, _CLOSED) for each in _chain(error)) or "closed by server" in str(error):
        wants = "a client certificate, set REDIS_CERT and REDIS_KEY" if tls else "TLS, write rediss://"
        return StoreUnavailable(f"Redis closed the connection as we came; if it wants {wants}")
    answer = _refusal_within(error)
    if isinstance(answer, ResponseError) and _code(answer, str(answer)) not in _NAMED:
        if "DB index" in str(answer):
            return StoreUnavailable("Redis has no database of that number; correct the end of REDIS_URL")
        return StoreUnavailable(
            "Redis answers our login with an error that may repeat the password, so it is not shown; see "
            "that it knows AUTH, CLIENT SETNAME and SELECT"
        )
    return unavailable(error)


_CLOSED = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


def forbidden(commands: Iterable[str]) -> str:
    """That our user may not run ``commands``, spelled as rules spell them: ``config|get``."""
    grants = " ".join(f"+{command}" for command in commands)
    return f"Redis refuses our user a command; grant it {grants} (docs/redis.md has the whole rule)"


def _as_granted(command: str) -> str:
    """6.2 names ``client`` where ``client|setname`` is what was refused."""
    whole = f"{command}|"
    return next((each for each in (*ALWAYS, *EXAMINING) if each.startswith(whole)), command)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """``error`` and what the library has wrapped, or hidden, behind it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _handshake(error: BaseException) -> ssl.SSLError | None:
    return next((each for each in _chain(error) if isinstance(each, ssl.SSLError)), None)


def _refusal_within(error: BaseException) -> BaseException:
    """What the server said to our login. On a unix socket the library wraps it as if there was no server."""
    cause = error.__cause__
    return cause if isinstance(cause, AuthenticationError | ResponseError) else error


def _code(error: BaseException, text: str) -> str:
    """The server's error code. The library cuts the code off some messages and makes it a class."""
    if isinstance(error, AuthenticationError):
        if "without any password configured" in text:
            return "NOPASS"
        return "WRONGPASS" if "WRONGPASS" in text or "invalid" in text.lower() else "NOAUTH"
    if isinstance(error, NoPermissionError):
        return "NOKEYS" if _KEYS.search(text) else "NOPERM"
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


_COMMAND = re.compile(r"to run the '([\w|-]+)' command", re.ASCII)
_KEYS = re.compile(r"access (one of the keys|a key|at least one of the keys)")
_MARKS = {
    "NOKEYS": ("can't access at least one of the keys", "No permissions to access a key"),
    "NOPERM": ("can't run this command", "no permissions to run the"),
    "OOM": ("OOM command not allowed", "command not allowed when used memory"),
    "READONLY": ("READONLY You can't write", "can't write against a read only"),
    "NOREPLICAS": ("NOREPLICAS", "Not enough good replicas"),
    "MISCONF": ("MISCONF", "is configured to save RDB snapshots", "Errors writing to the AOF"),
    "BUSY": ("BUSY Redis is busy", "is busy running a script"),
    "LOADING": ("is loading the dataset",),
    "MASTERDOWN": ("MASTERDOWN",),
}
