"""What the daemon is told from outside. The only reader of the daemon's environment.

Every setting is ``REMEDIATOR_<NAME>`` or the flag ``--<name>`` of ``serve``; the flag wins. Every secret can
stand in a file instead, named by ``<NAME>_FILE``. Secrets are kept as ``SecretStr``: no repr shows them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from remediator.core.errors import Refused, SettingsError
from remediator.core.policies import Mode, SecretRef
from remediator.core.text import plain
from remediator.core.times import DAY, HOUR, MINUTE, Millis, parse_duration

PREFIX = "REMEDIATOR_"
SECRETS = (
    "webhook_token", "api_token", "pagerduty_routing_key", "redis_url", "redis_password", "prometheus_token",
    "alertmanager_token",
)  # fmt: skip
BESIDE_REDIS_URL = (
    "redis_username", "redis_password", "redis_password_file", "redis_ca", "redis_cert", "redis_key"
)  # fmt: skip
LARGEST_SECRET = 64 * 1024
SMALLEST_ARCHIVE_FILE = 64 * 1024
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")

Archiving = Literal["files", "stdout", "off"]
LogLevel = Literal["debug", "info", "warning", "error"]


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


_SIZES = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
_SIZES |= {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def _size(value: object) -> object:
    """Bytes, or a number with a unit."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([0-9]{1,15})\s*([A-Za-z]*)", value.strip())
    if found is None or found[2].upper() not in _SIZES:
        raise ValueError("write a number of bytes, or one with a unit, such as 64MiB or 1GiB")
    return int(found[1]) * _SIZES[found[2].upper()]


def _retention(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _web_address(value: object) -> object:
    """https only: a key is sent there, and must not travel readable."""
    if not isinstance(value, str):
        return value
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("write an https:// address, such as https://events.pagerduty.com")
    if parts.username or parts.password:
        raise ValueError("it must not carry a user name or a password")
    return value


def _server_address(value: object) -> object:
    """http or https, perhaps with a user name and a password: it is kept as a secret."""
    if not isinstance(value, str):
        return value
    how = "write an http:// or https:// address, such as http://prometheus.monitoring:9090"
    try:
        parts = urlsplit(value.strip())
        parts.port  # noqa: B018  # reading it is what checks it
    except ValueError:  # whose text may quote a password
        raise ValueError(how) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(how)
    if parts.query or parts.fragment:
        raise ValueError("it must not carry a query or a fragment")
    return value.strip()


def _server_addresses(value: object) -> object:
    """One or more, separated by commas or blanks; kept together as a secret, for they may hold passwords."""
    if not isinstance(value, str):
        return value
    addresses = value.replace(",", " ").split()
    if not addresses:
        raise ValueError("write addresses such as http://alertmanager-0:9093,http://alertmanager-1:9093")
    for each in addresses:
        _server_address(each)
    if len(set(addresses)) != len(addresses):
        raise ValueError("one of them is there twice")
    return " ".join(addresses)


def _short_name(value: object) -> object:
    if isinstance(value, str) and (not value or len(value) > 63 or set(value) & set("{}\r\n \t*?[]")):
        raise ValueError("write 1 to 63 characters without blanks and without { } * ? [ ]")
    return value


Size = Annotated[int, BeforeValidator(_size)]
Retention = Annotated[Millis, BeforeValidator(_retention)]
WebAddress = Annotated[str, BeforeValidator(_web_address)]
ServerAddress = Annotated[SecretStr, BeforeValidator(_server_address)]
ServerAddresses = Annotated[SecretStr, BeforeValidator(_server_addresses)]
Prefix = Annotated[str, BeforeValidator(_short_name)]
Lower = BeforeValidator(_lower)


class Settings(BaseSettings):
    """Read with ``read_settings``. Field descriptions are the help of the flags and the reference."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    policies: Path = Field(Path("policies"), description="Directory of policy files.")
    listen: str = Field("", description="Where webhooks arrive. Default :9095; 127.0.0.1:9095 while nothing "
                        "proves who sends.")  # fmt: skip
    ops_listen: str = Field("", description="Where operations are served. Default :9096; 127.0.0.1:9096 "
                            "without an API token.")  # fmt: skip
    redis_url: SecretStr | None = Field(None, description="redis://, rediss:// or unix:// URL of the store. "
                                        "Without it the daemon runs a small one of its own.")  # fmt: skip
    redis_url_file: Path | None = Field(None, description="File that holds the URL of the store.")
    redis_username: str | None = Field(None, description="ACL user of the store, where the URL names none.")
    redis_password: SecretStr | None = Field(None, description="Its password, as it is: not percent-encoded.")
    redis_password_file: Path | None = Field(None, description="File that holds the password of the store.")
    redis_ca: Path | None = Field(None, description="The authority to trust with a rediss:// URL, PEM. "
                                  "Default: those of the system.")  # fmt: skip
    redis_cert: Path | None = Field(None, description="Certificate chain to show to the store, PEM.")
    redis_key: Path | None = Field(None, description="Its key, PEM.")
    redis_prefix: Prefix = Field("remediator", description="What all keys of this deployment begin with.")
    redis_durability: Annotated[Literal["strict", "weak"], Lower] = Field(
        "strict", description="weak accepts a store that may lose acknowledged alerts."
    )
    retention: Retention = Field(
        Millis(30 * DAY), description="How long what is over is remembered, such as 30d."
    )
    data_dir: Path = Field(
        Path(".remediator"), description="Where the daemon's own store and the archive keep their data."
    )
    archive: Annotated[Archiving, Lower] = Field(
        "files", description="Where notifications that were taken in are archived: files (in the data "
        "directory), stdout or off."
    )  # fmt: skip
    archive_file_size: Size = Field(
        16 << 20, description="How large one file of the archive may become, such as 16MiB."
    )
    archive_size: Size = Field(
        256 << 20, description="How large all files of the archive together may become, such as 256MiB."
    )
    archive_retention: Retention = Field(
        Millis(30 * DAY), description="How old a file of the archive may become, such as 30d."
    )
    tls_cert: Path | None = Field(None, description="Certificate chain of the receiver, PEM.")
    tls_key: Path | None = Field(None, description="Its key, PEM.")
    client_ca: Path | None = Field(None, description="Authority of client certificates, PEM: senders must "
                                   "show one.")  # fmt: skip
    webhook_token: SecretStr | None = Field(None, description="What senders of webhooks must know.")
    webhook_token_file: Path | None = Field(None, description="File that holds the webhook token.")
    api_token: SecretStr | None = Field(None, description="What callers of the API must know: one token, or "
                                        "lines of name, role and token.")  # fmt: skip
    api_token_file: Path | None = Field(None, description="File that holds the API token, or such lines.")
    kubeconfig: Path | None = Field(None, description="Cluster to act on. Default: the one we run in.")
    prometheus_url: ServerAddress | None = Field(
        None, description="Prometheus to ask in checks and diagnoses."
    )
    prometheus_token: SecretStr | None = Field(
        None, description="What Prometheus must be shown, as a bearer token."
    )
    prometheus_token_file: Path | None = Field(None, description="File that holds the token of Prometheus.")
    alertmanager_urls: ServerAddresses | None = Field(
        None, description="Every Alertmanager that sends here, separated by commas: each of a pair, and no "
        "load balancer in front of them.",
    )  # fmt: skip
    alertmanager_receiver: str = Field(
        "remediator", min_length=1, description="The name of our receiver in their configuration."
    )
    alertmanager_token: SecretStr | None = Field(
        None, description="What Alertmanagers must be shown, as a bearer token."
    )
    alertmanager_token_file: Path | None = Field(
        None, description="File that holds the token of Alertmanagers."
    )
    pagerduty_routing_key: SecretStr | None = Field(None, description="Integration key of channels that name "
                                                    "PAGERDUTY_ROUTING_KEY.")  # fmt: skip
    pagerduty_routing_key_file: Path | None = Field(None, description="File that holds the integration key.")
    pagerduty_url: WebAddress = Field(
        "https://events.pagerduty.com", description="The Events API of channels that name no other."
    )
    mode: Annotated[Mode, Lower] = Field(
        Mode.AUTO, description="Ceiling on every rule's mode: observe, suggest, approve or auto."
    )
    log_level: Annotated[LogLevel, Lower] = Field("info", description="debug, info, warning or error.")

    @model_validator(mode="after")
    def _together(self) -> Self:
        for cert, key in (("tls_cert", "tls_key"), ("redis_cert", "redis_key")):
            lacking = [name for name in (cert, key) if getattr(self, name) is None]
            if len(lacking) == 1:
                name = lacking[0].upper()
                raise ValueError(f"{PREFIX}{name} is not set: a certificate and its key go together")
        if self.redis_url is None and self.redis_url_file is None:
            beside = [name for name in BESIDE_REDIS_URL if getattr(self, name) is not None]
            if beside:
                raise ValueError(f"{PREFIX}{beside[0].upper()} needs {PREFIX}REDIS_URL, which says where")
        if self.client_ca is not None and self.tls_cert is None:
            raise ValueError(f"{PREFIX}CLIENT_CA needs {PREFIX}TLS_CERT and {PREFIX}TLS_KEY: client "
                             "certificates are shown within TLS")  # fmt: skip
        token = self.prometheus_token or self.prometheus_token_file
        if token and self.prometheus_url is None:
            raise ValueError(f"{PREFIX}PROMETHEUS_TOKEN needs {PREFIX}PROMETHEUS_URL")
        if token and self.prometheus_url and urlsplit(self.prometheus_url.get_secret_value()).username:
            raise ValueError(f"{PREFIX}PROMETHEUS_URL names a user while there is a token; keep one of them")
        token = self.alertmanager_token or self.alertmanager_token_file
        if token and self.alertmanager_urls is None:
            raise ValueError(f"{PREFIX}ALERTMANAGER_TOKEN needs {PREFIX}ALERTMANAGER_URLS")
        if token and any(urlsplit(url).username for url in self.alertmanagers):
            raise ValueError(
                f"{PREFIX}ALERTMANAGER_URLS names a user while there is a token; keep one of them"
            )
        if self.retention < MINUTE:
            raise ValueError(f"{PREFIX}RETENTION is below a minute: incidents would vanish as they end")
        if self.archive_file_size < SMALLEST_ARCHIVE_FILE:
            raise ValueError(f"{PREFIX}ARCHIVE_FILE_SIZE is below 64KiB: hardly a notification would fit")
        if self.archive_size < 2 * self.archive_file_size:
            raise ValueError(f"{PREFIX}ARCHIVE_SIZE is below twice {PREFIX}ARCHIVE_FILE_SIZE: nothing could "
                             "be kept but the file that is being written")  # fmt: skip
        if self.archive_retention < HOUR:
            raise ValueError(f"{PREFIX}ARCHIVE_RETENTION is below an hour; to archive nothing, set "
                             f"{PREFIX}ARCHIVE=off")  # fmt: skip
        return self

    def secret(self, name: str) -> str | None:
        """A secret of ``SECRETS``, read from its file where it stands in one. Raises SettingsError."""
        value: SecretStr | None = getattr(self, name)
        path: Path | None = getattr(self, f"{name}_file")
        variable = f"{PREFIX}{name.upper()}"
        if value is not None and path is not None:
            raise SettingsError(f"{variable} and {variable}_FILE are both set; keep one of them")
        if path is not None:
            return read_secret(path, f"{variable}_FILE")
        return value.get_secret_value().strip() if value is not None else None

    @property
    def alertmanagers(self) -> tuple[str, ...]:
        """The address of each Alertmanager. They may hold passwords."""
        urls = self.alertmanager_urls
        return () if urls is None else tuple(urls.get_secret_value().split())

    @property
    def listen_at(self) -> str:
        """Where webhooks arrive: on loopback only, while nothing proves who sends."""
        proven = self.webhook_token or self.webhook_token_file or self.client_ca
        return self.listen or (":9095" if proven else "127.0.0.1:9095")

    @property
    def ops_listen_at(self) -> str:
        """Where operations are served: on loopback only, while nothing proves who asks."""
        return self.ops_listen or (":9096" if self.api_token or self.api_token_file else "127.0.0.1:9096")


def read_settings(flags: Mapping[str, object] | None = None) -> Settings:
    """From the environment and from ``flags`` (by field name; None: not given).

    Raises SettingsError, which names every wrong variable and repeats no value of a secret.
    """
    given: dict[str, Any] = {name: value for name, value in (flags or {}).items() if value is not None}
    for name in SECRETS:  # a flag replaces the variable of either spelling
        if name in given:
            given.setdefault(f"{name}_file", None)
        elif f"{name}_file" in given:
            given.setdefault(name, None)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsError("; ".join(_complaint(each) for each in error.errors())) from None
    for name in SECRETS:
        settings.secret(name)
    if not settings.policies.exists():
        raise SettingsError(
            f"{PREFIX}POLICIES: {settings.policies} does not exist; name the directory of the policy files"
        )
    return settings


def _complaint(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return message
    return f"{PREFIX}{str(error['loc'][0]).upper()}: {message[:1].lower()}{message[1:]}"


def read_secret(path: Path, what: str) -> str:
    """What a file holds. Raises SettingsError, which names ``what`` told us of it and nothing in it."""
    try:
        with path.open("rb") as opened:
            raw = opened.read(LARGEST_SECRET + 1)
        text = raw.decode().strip()
    except OSError as error:
        raise SettingsError(f"{what}: {path} cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{what}: {path} is not text") from None
    if not text or len(raw) > LARGEST_SECRET:
        raise SettingsError(f"{what}: {path} is {'empty' if not text else 'too large for a secret'}")
    return text


def runs_in_cluster(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is a pod with a service account."""
    return bool(environ.get("KUBERNETES_SERVICE_HOST")) and SERVICE_ACCOUNT.exists()


def secret_reader(settings: Settings, environ: Mapping[str, str] = os.environ) -> Callable[[SecretRef], str]:
    """Reads what policies refer to, each time it is needed, so that a rotated secret is found.

    ``{env: NAME}`` is the variable ``NAME`` or ``NAME_FILE``, else ``REMEDIATOR_NAME`` or its ``_FILE``,
    else the flag of that name. The reader raises Refused where there is none.
    """

    def read(ref: SecretRef) -> str:
        try:
            found = read_secret(Path(ref.file), "file") if ref.file else _from_environment(ref.env or "")
        except SettingsError as error:
            raise Refused(plain(str(error), 300)) from None
        if found is None:
            raise Refused(
                f"{ref.env} is not set: export {ref.env} or {ref.env}_FILE where the daemon is started"
            )
        return found

    def _from_environment(name: str) -> str | None:
        for variable in (name, f"{PREFIX}{name}"):
            if value := environ.get(variable, "").strip():
                return value
            if path := environ.get(f"{variable}_FILE", ""):
                return read_secret(Path(path), f"{variable}_FILE")
        field = name.removeprefix(PREFIX).lower()
        return settings.secret(field) if field in SECRETS else None

    return read
