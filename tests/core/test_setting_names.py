"""A mistyped name of a setting is told, and whatever is nobody's mistake is not."""

from __future__ import annotations

import pytest

from discern.setting_names import PREFIX, SETTING_NAMES, unknown_names


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("WEB_PROT", "WEB_PORT"),
        ("web_prot", "WEB_PORT"),
        ("MODEL_SERVER_MAXQUEUE_ITEMS", "MODEL_SERVER_MAX_QUEUE_ITEMS"),
        ("MODEL_MIROR", "MODEL_MIRROR"),
        ("ALLOWED_HOST", "ALLOWED_HOSTS"),
    ],
)
def test_a_mistyped_name_is_told_with_the_nearest(name: str, nearest: str) -> None:
    [line] = unknown_names({PREFIX + name: "9000"})
    assert f"{PREFIX}{name}: there is no such setting; did you mean {PREFIX}{nearest}?" in line


def test_a_name_like_no_other_is_told_and_its_value_is_not() -> None:
    [line] = unknown_names({PREFIX + "XYLOPHONE": "hunter2"})
    assert "lists them all" in line
    assert "hunter2" not in line


def test_names_of_every_process_and_empty_and_foreign_ones_pass() -> None:
    assert unknown_names(dict.fromkeys(SETTING_NAMES, "1")) == []
    assert unknown_names({PREFIX + "WEB_PROT": "", "WEB_PROT": "1", "discern_home": "/x"}) == []


def test_what_kubernetes_writes_for_a_service_is_no_mistake() -> None:
    names = ("SERVICE_HOST", "WEB_SERVICE_PORT", "WEB_SERVICE_PORT_HTTP", "API_PORT_80_TCP_ADDR")
    written = {PREFIX + name: "10.0.0.1" for name in names}
    assert unknown_names({**written, PREFIX + "PORT": "tcp://10.0.0.1:80"}) == []
    assert len(unknown_names({PREFIX + "PORT": "9000"})) == 1
