"""The model server's settings: environment variables that begin with DISCERN_MODEL_SERVER_."""

from __future__ import annotations

import os
from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from discern.engine.interface import SENTIMENT_TASK
from discern.engine.local import LOADERS
from discern.engine.options import EngineOptions, Observer
from discern.errors import ConfigurationInvalid
from discern.inference.contract import BatchLimits
from discern.inference.machine import available_cpus
from discern.setting_names import is_link, unknown_names

PREFIX: Final = "DISCERN_MODEL_SERVER_"
MIN_TOKEN_CHARS: Final = 16
Names = Annotated[tuple[str, ...], NoDecode]


class ModelServerSettings(BaseSettings):
    """Checked once at start; a wrong value stops the server with the variable's name."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True
    )

    host: str = Field(default="127.0.0.1", description="Address to bind.")
    port: int = Field(default=8600, ge=0, le=65535, description="Port; 0 lets the system choose.")
    token: SecretStr | None = Field(
        default=None, description="Bearer token every request but the health probes must carry."
    )
    workers: int = Field(default=1, ge=1, le=64, description="Server processes.")
    tasks: Names = Field(
        default=(SENTIMENT_TASK,),
        description="Tasks whose active model is loaded at start and readiness vouches for.",
    )
    models: Names = Field(
        default=(), description="Further models to load at start, as name or name:version."
    )
    sessions: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Batches run at once in each process; default: its share of the processors.",
    )
    threads: int = Field(default=1, ge=1, le=256, description="Threads computing one batch.")
    provider: Literal["cpu", "cuda"] = Field(default="cpu", description="Where models run.")
    max_batch_items: int = Field(default=32, ge=1, le=1024, description="Texts in one batch.")
    max_batch_tokens: int = Field(
        default=4096, ge=16, le=1_000_000, description="Tokens in one batch, padding included."
    )
    max_queue_items: int = Field(
        default=2048, ge=1, le=1_000_000, description="Texts waiting; past it: 503 overloaded."
    )
    max_wait_s: float = Field(
        default=0.8,
        gt=0,
        le=600,
        description="New work is refused while what waits would take longer than this, seconds.",
    )
    max_request_s: float = Field(
        default=30.0, gt=0, le=3600, description="Longest time one answer may take, seconds."
    )
    max_head_s: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="Longest time a request's headers may take to arrive, seconds.",
    )
    max_unread_s: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="A client that reads nothing of its answer for longer is cut off, seconds.",
    )
    max_requests: int = Field(
        default=1024,
        ge=1,
        le=100_000,
        description="Requests under way in one process, probes and scrapes not counted.",
    )
    max_body_bytes: int = Field(
        default=24 * 2**20, ge=1024, le=2**30, description="Largest request body."
    )
    drain_s: float = Field(
        default=10.0, ge=0, le=600, description="Longest wait at the end for requests under way."
    )
    repository: bool = Field(
        default=False, description="Allow loading and unloading models over HTTP."
    )
    metrics_dir: str | None = Field(
        default=None, description="Folder in which several processes share their metrics."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe message written to the log."
    )

    @field_validator("port", mode="before")
    @classmethod
    def _set_port(cls, value: Any) -> Any:
        return cls.model_fields["port"].default if is_link(value) else value

    @field_validator("tasks", "models", mode="before")
    @classmethod
    def _by_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("tasks")
    @classmethod
    def _known_tasks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [task for task in value if task not in LOADERS]
        if unknown or not value:
            raise ValueError(f"must name one or more of: {', '.join(LOADERS)}")
        return value

    @field_validator("token")
    @classmethod
    def _long_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if len(value.get_secret_value()) < MIN_TOKEN_CHARS:
            raise ValueError(f"must have at least {MIN_TOKEN_CHARS} characters")
        return value

    @model_validator(mode="after")
    def _careful_repository(self) -> ModelServerSettings:
        if self.repository and self.token is None and not is_loopback(self.host):
            raise ValueError("the repository may not be open on a public address without a token")
        if self.repository and self.workers > 1:
            raise ValueError("the repository can be open only with one worker process")
        return self

    def engine_options(self, observe: Observer | None = None) -> EngineOptions:
        """What these settings mean for the engine of one process."""
        share = max(1, available_cpus() // self.workers)
        return EngineOptions(
            sessions=self.sessions or max(1, share // self.threads),
            threads=self.threads,
            provider=self.provider,
            limits=BatchLimits(
                max_batch_items=self.max_batch_items,
                max_batch_cost=self.max_batch_tokens,
                max_queue_items=self.max_queue_items,
                max_wait_s=self.max_wait_s,
            ),
            observe=observe,
        )


def is_loopback(host: str) -> bool:
    """True for addresses only this machine can reach."""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def load_settings(**overrides: Any) -> ModelServerSettings:
    """Reads the environment; ``overrides`` that are not None come before it.

    Raises:
        ConfigurationInvalid: names every wrong variable and its rule, one on a line, and every
            one that begins with ``DISCERN_`` and is no setting of any process.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    lines = unknown_names(os.environ)
    try:
        settings = ModelServerSettings(**given)
    except ValidationError as error:
        lines += [_explain(dict(item)) for item in error.errors(include_url=False)]
    if lines:
        raise ConfigurationInvalid("The settings are wrong.\n" + "\n".join(lines))
    return settings


def _explain(item: dict[str, Any]) -> str:
    rule = str(item["msg"]).removeprefix("Value error, ")
    if not item["loc"]:
        return f"  {rule}"
    name = PREFIX + str(item["loc"][0]).upper()
    given = "" if name.endswith("TOKEN") else f" (given: {item['input']!r})"
    return f"  {name}: {rule[0].lower()}{rule[1:]}{given}"
