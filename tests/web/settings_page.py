"""Writes docs/settings.md: ``python -m tests.web.settings_page > docs/settings.md``."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from discern.model_server.settings import ModelServerSettings
from discern.web.environment import Environment

_HEAD = """# Settings

Every setting is an environment variable. A wrong value stops the program before it serves anything,
with a message that names the variable and the rule it breaks; all wrong ones are named at once. An
empty variable counts as absent. Lists are separated by commas.

A variable that begins with `DISCERN_` and is no setting of any process is refused just the same,
with the name that is nearest to it: a mistyped name would leave the default standing. All processes
may be given one environment, so each knows the names of all. What Kubernetes writes for services
whose name begins with `discern` is left alone, also where it takes a setting's name
(`DISCERN_WEB_PORT` beside a service `discern-web`). A Django project that takes an app in
(`discern.web.host`) is only warned: the variable may be its own.

The tables are made from the program: `python -m tests.web.settings_page > docs/settings.md`.

## Site, worker and commands
"""
_CHOICES = """
### What to choose

- **Database.** SQLite serves one machine well: it runs in WAL mode, writers wait for each other
  instead of failing, and what was accepted survives a power cut (the note of which list was
  shown, for click and like rates, may miss its last seconds then). Choose PostgreSQL when web or
  worker processes run on more than one machine, and set `DISCERN_SECRET_KEY` then.
- **Broker.** Without one, workers look into the database every 50 ms, on any number of machines.
  With Redis or RabbitMQ, Celery carries a message for each job; the row in the database stays the
  truth, so a lost message or broker only delays ([decision 4](decisions/0004-durable-jobs.md)).
- **Web processes.** A request spends about 0.7 ms of processor time in the site, and one process
  runs Python on one core at a time. Two suit a small machine; add more when theirs is what is full.
  Those of one machine share their rate limits' counts; for several machines name a Redis in
  `DISCERN_CACHE_URL`. While it is away, requests are answered 503 with `Retry-After`.
- **Proxies.** Behind a reverse proxy set `DISCERN_PROXIES=1` (or how many there are), and
  `DISCERN_HTTPS=1` when it speaks HTTPS to the world. The rate limits then count the address that
  the proxy reports, and `/metrics` asks for `DISCERN_METRICS_TOKEN`.

## Model server

"""


def page() -> str:
    """The whole page."""
    return _HEAD + "\n" + _table(Environment) + _CHOICES + _table(ModelServerSettings)


def _table(settings: type[BaseSettings]) -> str:
    prefix = settings.model_config["env_prefix"]
    lines = ["| variable | default | what it does |", "|---|---|---|"]
    for name, field in settings.model_fields.items():
        description = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{prefix}{name.upper()}` | {_default(field)} | {description} |")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined and field.default_factory is not None:
        value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, list | tuple):
        value = ",".join(value)
    if isinstance(value, dict):
        plain = TypeAdapter(Any).dump_python(value, mode="json", exclude_defaults=True)
        value = json.dumps(plain)
    if isinstance(value, bool):
        value = int(value)
    return "" if value is None or value == "" else f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(page())
