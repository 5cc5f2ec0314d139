"""A Django project with its own users, articles and habits takes recommendations in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.databases import OwnDatabase
from tests.web.recommendations.host_project import FILES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs Python in the newspaper's folder, or in another."""
    database = OwnDatabase({})
    folder = tmp_path / "newspaper"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    unset = ("DISCERN_", "PROMETHEUS", "DJANGO", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
    environment = {**kept, "DISCERN_HOME": str(tmp_path / "home")}
    if url := database.settings.get("DISCERN_DATABASE_URL"):
        environment["PAPER_DATABASE"] = json.dumps(_django_s_words_for(url))

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    database.create()
    yield run
    database.drop()


def _django_s_words_for(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path[1:],
        "HOST": parts.hostname,
        "PORT": parts.port,
        "USER": parts.username,
    }


def succeed(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def script(run: Run, name: str, *arguments: str) -> str:
    begin = "import django, runpy; django.setup(); "
    command = f"import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'paper.settings'; {begin}"
    return succeed(run("-c", f"{command}runpy.run_path('{name}')", *arguments))


def test_a_foreign_project_migrates_records_likes_fits_and_gets_lists(run: Run) -> None:
    pytest.importorskip("sklearn")
    succeed(run("manage.py", "makemigrations", "paper"))
    succeed(run("manage.py", "makemigrations", "--check", "--dry-run"))
    succeed(run("manage.py", "migrate"))
    script(run, "read.py")
    succeed(run("manage.py", "fit_recommendations", "--tune-seconds", "0"))
    key = succeed(run("manage.py", "create_key", "shop", "--service")).strip()
    said = json.loads(script(run, "ask.py", key))
    assert [article["section"] for article in said["view"]] == ["sea"] * 5
    assert (said["own"], said["other"], said["nobody"]) == (200, 403, 401)
    assert said["by_key"]["source"] == "model"
    assert said["by_key"]["items"][0]["reason"]["kind"] == "because"


def test_the_functions_alone_need_no_app_of_keys(run: Run, tmp_path: Path) -> None:
    settings = tmp_path / "newspaper" / "paper" / "settings.py"
    settings.write_text(settings.read_text().replace("api=True", "api=False"))
    urls = settings.with_name("urls.py")
    urls.write_text(re.sub(r'.*"discern/".*\n', "", urls.read_text()))
    succeed(run("manage.py", "makemigrations", "paper"))
    succeed(run("manage.py", "migrate"))
    code = """
from discern.web.recommendations import adapter
from paper.models import Article
made = [Article.objects.create(headline=str(i), section="sea") for i in range(3)]
print(adapter.record(7, made[0], liked=True).added, adapter.get_recommendations(7) == made[:0:-1])
"""
    assert succeed(run("manage.py", "shell", "-c", code)).split()[-2:] == ["1", "True"]


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("globals().update(host.defaults())", "globals().update(discern.web.host.defaults())"),
        ("USE_TZ = True", "needs USE_TZ = True"),
    ],
)
def test_a_project_whose_settings_lack_something_is_told_what_to_write(
    run: Run, tmp_path: Path, gone: str, said: str
) -> None:
    settings = tmp_path / "newspaper" / "paper" / "settings.py"
    written = settings.read_text()
    assert gone in written
    settings.write_text(written.replace(gone, "USE_TZ = False" if "TZ" in gone else ""))
    done = run("manage.py", "check")
    assert done.returncode != 0
    assert said in done.stderr
