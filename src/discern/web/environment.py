"""Every setting of the web, worker and command processes, read from ``DISCERN_*`` variables.

A wrong value stops the process before it serves anything, with a message that names the variable
and the rule it breaks. docs/settings.md lists them all and a test keeps it complete.
"""

from __future__ import annotations

import os
import secrets
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from discern.errors import ConfigurationInvalid
from discern.setting_names import PREFIX, is_link, unknown_names
from discern.web.setting_types import ArmOptions, Experiments, Names, Rate, check_url

MIN_SECRET_CHARS = 50


class Environment(BaseSettings):
    """The typed environment; each field is the variable of its name in capitals after DISCERN_."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True
    )

    home: Path = Field(
        default=Path("~/.local/share/discern"),
        description="Folder for the database, stored files, models and the generated secret.",
    )
    debug: bool = Field(
        default=False, description="Show tracebacks to the browser. Never on a public address."
    )
    demo: bool = Field(default=False, description="Allow the demo account to be made.")
    secret_key: SecretStr | None = Field(
        default=None,
        description="Signs sessions; at least 50 characters. Generated in the home folder when "
        "the database is SQLite; needed with PostgreSQL.",
    )
    secret_key_fallbacks: Names = Field(
        default_factory=list, description="Former secret keys, still accepted while rotating."
    )
    allowed_hosts: Names = Field(
        default_factory=lambda: ["localhost", "127.0.0.1", "[::1]"],
        description="Host names the site answers to, separated by commas.",
    )
    trusted_origins: Names = Field(
        default_factory=list,
        description="Further origins (https://name) whose pages may send forms, by commas.",
    )
    https: bool = Field(
        default=False, description="The site is reached by HTTPS: secure cookies, redirect, HSTS."
    )
    proxies: int = Field(
        default=0,
        ge=0,
        le=10,
        description="How many trusted proxies stand in front and set X-Forwarded-For and -Proto.",
    )
    database_url: str = Field(
        default="",
        description="sqlite:///path or postgresql://user:password@host/name. "
        "Default: discern.sqlite3 in the home folder.",
    )
    cache_url: str = Field(
        default="local",
        description="local (a file that this machine's processes share) or "
        "redis://host:port/number. Rate limits are counted here: choose Redis when the site runs "
        "on several machines.",
    )
    broker_url: str = Field(
        default="",
        description="Empty: workers take work from the database. redis:// or amqp://: Celery "
        "carries the message.",
    )
    model_server_url: str = Field(
        default="http://127.0.0.1:8600", description="Address of the model server."
    )
    model_server_token: SecretStr | None = Field(
        default=None, description="Token the model server asks for."
    )
    model_server_timeout_s: float = Field(
        default=10.0, gt=0, le=300, description="Longest wait for one answer, in seconds."
    )
    rate_key: Rate = Field(default="60000/minute", description="Requests allowed to one API key.")
    rate_user: Rate = Field(
        default="6000/minute", description="Requests allowed to one signed-in person."
    )
    rate_anonymous: Rate = Field(
        default="60/minute", description="Requests allowed to one address without sign-in."
    )
    rate_sign_in: Rate = Field(
        default="10/minute", description="Sign-in attempts allowed to one address or user name."
    )
    max_body_bytes: int = Field(
        default=4 * 2**20,
        ge=2**10,
        le=2**30,
        description="Largest JSON or form body in bytes; file uploads have limits of their own.",
    )
    text_job_max_bytes: int = Field(
        default=32 * 2**20,
        ge=2**10,
        le=2**28,
        description="Largest file of texts, or of contents or interactions to import, in bytes.",
    )
    text_job_max_rows: int = Field(
        default=100_000, ge=1, le=5_000_000, description="Most rows of a file of texts."
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="Token for /metrics as a bearer; without it only loopback is answered.",
    )
    metrics_dir: Path | None = Field(
        default=None,
        description="Folder in which the processes of one machine share their metrics. "
        "Default: metrics in the home folder.",
    )
    worker_metrics_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port on which a worker shows its own metrics; 0: it does not. The site shows "
        "those of its machine's workers already.",
    )
    worker_metrics_host: str = Field(
        default="127.0.0.1", description="Address that port is bound on."
    )
    web_host: str = Field(default="127.0.0.1", description="Address the web server binds.")
    web_port: int = Field(default=8000, ge=0, le=65535, description="Port the web server binds.")
    web_processes: int = Field(default=2, ge=1, le=64, description="Web server processes.")
    web_threads: int = Field(default=32, ge=1, le=256, description="Threads in each of them.")
    storage: str = Field(
        default="local",
        description="Where uploaded files lie: local (files/ in the home folder) or s3://bucket "
        "with the usual AWS variables for its credentials.",
    )
    s3_endpoint: str = Field(
        default="", description="Address of an S3-compatible service that is not Amazon's."
    )
    upload_find: Literal["objects,text", "objects", "text"] = Field(
        default="objects,text",
        description="What is looked for in a picture whose upload does not say: objects, text or "
        "both. Reading text takes several times as long as finding objects.",
    )
    upload_quota_pictures: int = Field(
        default=10_000, ge=1, description="Pictures one person may keep."
    )
    upload_quota_bytes: int = Field(
        default=5 * 2**30, ge=2**20, description="Bytes of pictures one person may keep."
    )
    upload_resumable_hours: int = Field(
        default=24, ge=1, le=24 * 30, description="Hours an unfinished resumable upload is kept."
    )
    upload_event_streams: int = Field(
        default=8,
        ge=1,
        le=256,
        description="Event streams one web process keeps open at once, half of them for one "
        "person; each holds a thread.",
    )
    recommendation_experiments: Experiments = Field(
        default_factory=lambda: {
            "variety": {"likeliest": ArmOptions(diversity=0), "varied": ArmOptions(diversity=0.3)}
        },
        description="Rankers side by side, as JSON: "
        '{"experiment": {"arm": {"model": "name", "diversity": 0.3, "exploration": 0.1, '
        '"share": 1}}}.',
    )
    impression_days: int = Field(
        default=90,
        ge=1,
        le=36_500,
        description="How many days the lists that people were shown are kept; of older ones only "
        "the counts of each arm stay.",
    )
    worker_threads: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Items one worker process handles at once; half of its time each waits for the "
        "disk or the model server.",
    )
    job_lease_s: float = Field(
        default=30.0,
        ge=1,
        le=600,
        description="Seconds after which a dead worker's job is given to another.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least severe message written to the log."
    )

    @field_validator("home")
    @classmethod
    def _absolute_home(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("web_port", mode="before")
    @classmethod
    def _set_port(cls, value: Any) -> Any:
        return cls.model_fields["web_port"].default if is_link(value) else value

    @field_validator("secret_key")
    @classmethod
    def _long_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < MIN_SECRET_CHARS:
            raise ValueError(f"must have at least {MIN_SECRET_CHARS} characters")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _some_host(cls, value: list[str]) -> list[str]:
        if not value or any("/" in host for host in value):
            raise ValueError("must be host names separated by commas, without http://")
        return value

    @field_validator("trusted_origins")
    @classmethod
    def _whole_origins(cls, value: list[str]) -> list[str]:
        if any(urlsplit(origin).scheme not in {"http", "https"} for origin in value):
            raise ValueError("must be origins such as https://example.org separated by commas")
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value:
            check_url(value, ("sqlite", "postgresql", "postgres"))
            if not urlsplit(value).path.strip("/"):
                raise ValueError("must name a database: sqlite:///path or postgresql://host/name")
        return value

    @field_validator("cache_url")
    @classmethod
    def _known_cache(cls, value: str) -> str:
        return value if value == "local" else check_url(value, ("redis", "rediss", "unix"))

    @field_validator("broker_url")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        return check_url(value, ("redis", "rediss", "amqp", "amqps")) if value else value

    @field_validator("storage")
    @classmethod
    def _known_storage(cls, value: str) -> str:
        if value != "local" and not (check_url(value, ("s3",)) and urlsplit(value).netloc):
            raise ValueError("must be local or s3://bucket")
        return value

    @field_validator("model_server_url")
    @classmethod
    def _http_model_server(cls, value: str) -> str:
        return check_url(value, ("http", "https")).rstrip("/")

    @property
    def shared_metrics_dir(self) -> Path:
        """Where this machine's processes share their metrics."""
        return self.metrics_dir or self.home / "metrics"

    @property
    def sqlite_path(self) -> Path | None:
        """Where the SQLite file lies, or None when the database is PostgreSQL."""
        if not self.database_url:
            return self.home / "discern.sqlite3"
        parts = urlsplit(self.database_url)
        return Path(parts.path.removeprefix("/")) if parts.scheme == "sqlite" else None

    @cached_property
    def signing_key(self) -> str:
        """The secret key as set, or one made once and kept in the home folder.

        Raises:
            ConfigurationInvalid: none is set and the database is shared, or it cannot be kept.
        """
        if self.secret_key is not None:
            return self.secret_key.get_secret_value()
        if self.sqlite_path is None:
            raise ConfigurationInvalid(
                "DISCERN_SECRET_KEY must be set when DISCERN_DATABASE_URL is PostgreSQL: every "
                "process must sign sessions with the same key."
            )
        return _kept_secret(self.home / "secret_key")


def _kept_secret(path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(64))
        try:
            os.link(draft, path)  # fails where another process was first: its key is then ours
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path.read_text()
    except OSError as error:
        raise ConfigurationInvalid(
            f"DISCERN_HOME: cannot keep a secret key in {path.parent} ({error.strerror}). "
            "Choose a folder that can be written, or set DISCERN_SECRET_KEY."
        ) from error


@lru_cache(maxsize=1)
def load_environment() -> Environment:
    """Reads and checks the environment once for this process.

    A variable that is no setting is not looked at: a Django project that takes an app in may have
    its own. The site's processes call :func:`load_site_environment`.

    Raises:
        ConfigurationInvalid: names every wrong variable and its rule, one on a line.
    """
    return _read([])


def load_site_environment() -> Environment:
    """As :func:`load_environment`, for processes to which every ``DISCERN_*`` variable belongs.

    Raises:
        ConfigurationInvalid: also names those that are no setting, and the nearest that is.
    """
    unknown = unknown_names(os.environ)
    return _read(unknown) if unknown else load_environment()


def _read(wrong: list[str]) -> Environment:
    try:
        environment = Environment()
    except ValidationError as error:
        wrong = [*wrong, *(_explain(dict(item)) for item in error.errors(include_url=False))]
    if wrong:
        raise ConfigurationInvalid("The environment is wrong.\n" + "\n".join(wrong))
    return environment


def _explain(item: dict[str, Any]) -> str:
    name = PREFIX + str(item["loc"][0]).upper()
    rule = str(item["msg"]).removeprefix("Value error, ")
    given = (
        ""
        if "SECRET" in name or "TOKEN" in name or "_URL" in name
        else f" (given: {item['input']!r})"
    )
    return f"  {name}: {rule[0].lower()}{rule[1:]}{given}"
