"""A running daemon, as the command line asks it: where it is, and who asks.

The composition of commands that operate a daemon and need nothing else of it. Reads their environment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from remediator.adapters.daemon import DaemonApi
from remediator.core.errors import SettingsError
from remediator.settings import PREFIX, ServerAddress, read_secret


class RemoteSettings(BaseSettings):
    """``REMEDIATOR_<NAME>`` or a flag; the flag wins."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    url: ServerAddress = Field(
        SecretStr("http://127.0.0.1:9096"), description="The operations listener of the daemon."
    )
    api_token: SecretStr | None = Field(None, description="Your token, where it asks for one.")
    api_token_file: Path | None = Field(None, description="File that holds your token.")
    ops_listen: str = Field("", description="Where the daemon on this machine serves operations.")


@asynccontextmanager
async def asked_daemon(url: str | None, token_file: Path | None) -> AsyncIterator[DaemonApi]:
    """The daemon that is named, or that of the environment. Raises SettingsError."""
    flags: dict[str, object] = {}
    if url is not None:
        flags["url"] = url
    if token_file is not None:
        flags |= {"api_token_file": token_file, "api_token": None}
    settings = _read(flags)
    async with DaemonApi.connected(settings.url.get_secret_value(), token=_token(settings)) as daemon:
        yield daemon


@asynccontextmanager
async def daemon_here(url: str | None, within: float) -> AsyncIterator[DaemonApi]:
    """The daemon that is named, or that of this machine; nobody is told who asks. Raises SettingsError.

    ``within``: seconds for one question.
    """
    settings = _read({} if url is None else {"url": url})
    named = url is not None or "url" in settings.model_fields_set
    where = settings.url.get_secret_value() if named else _own_url(settings)
    async with DaemonApi.connected(where, within=within) as daemon:
        yield daemon


def _own_url(settings: RemoteSettings) -> str:
    """Where who listens on all addresses is reached from the same machine."""
    if not settings.ops_listen:
        return settings.url.get_secret_value()
    host, colon, port = settings.ops_listen.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"{PREFIX}OPS_LISTEN is no address; write host:port, such as 127.0.0.1:9096")
    return f"http://{'127.0.0.1' if host in ('', '0.0.0.0', '[::]') else host}:{port}"  # noqa: S104  # not bound


def _read(flags: Mapping[str, object]) -> RemoteSettings:
    try:
        return RemoteSettings(**flags)  # type: ignore[arg-type]  # judged by the model
    except ValidationError as error:
        wrong = error.errors()[0]
        how = str(wrong["msg"]).removeprefix("Value error, ")
        raise SettingsError(f"{PREFIX}{str(wrong['loc'][0]).upper()}: {how}") from None


def _token(settings: RemoteSettings) -> str | None:
    where = f"{PREFIX}API_TOKEN"
    if settings.api_token_file is not None:
        if settings.api_token is not None:
            raise SettingsError(f"{where} and {where}_FILE are both set; keep one of them")
        token = read_secret(settings.api_token_file, f"{where}_FILE")
    else:
        token = settings.api_token.get_secret_value().strip() if settings.api_token is not None else ""
    if len(token.split()) > 1:
        what = "holds the tokens of several: put yours alone into a file, and name it with --token-file"
        raise SettingsError(f"{where} {what}")
    return token or None
