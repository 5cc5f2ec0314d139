from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discern.catalog.manifest import load_bundle, load_manifest, sha256_of, verify
from discern.catalog.store import Store, version_key
from discern.errors import BundleInvalid, DigestMismatch, InvalidInput, ModelNotFound
from tests.fakes.bundles import write_bundle

TASK = "sentiment-analysis"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    shipped = tmp_path / "shipped"
    write_bundle(shipped / "words")
    return Store(tmp_path / "home", shipped=shipped)


def install(store: Store, tmp_path: Path, version: str, name: str = "words") -> None:
    store.install(write_bundle(tmp_path / f"{name}-{version}", name=name, version=version).folder)


def test_a_shipped_bundle_answers_its_task_with_nothing_installed(store: Store) -> None:
    assert store.active(TASK).manifest.version == "1.0.0"


def test_installing_a_newer_version_does_not_change_what_answers(
    store: Store, tmp_path: Path
) -> None:
    install(store, tmp_path, "2.0.0")
    assert store.active(TASK).manifest.version == "1.0.0"
    assert store.find("words").manifest.version == "2.0.0"


def test_activate_and_roll_back_walk_through_the_choices(store: Store, tmp_path: Path) -> None:
    install(store, tmp_path, "2.0.0")
    install(store, tmp_path, "3.0.0")
    store.activate("words", "2.0.0")
    store.activate("words", "3.0.0")
    assert store.active(TASK).manifest.version == "3.0.0"
    assert store.rollback(TASK).manifest.version == "2.0.0"
    assert store.rollback(TASK).manifest.version == "1.0.0"
    with pytest.raises(InvalidInput, match="Nothing to roll back"):
        store.rollback(TASK)


def test_a_changed_file_is_not_activated_and_the_old_choice_stays(
    store: Store, tmp_path: Path
) -> None:
    install(store, tmp_path, "2.0.0")
    path = store.find("words", "2.0.0").path("tokenizer.json")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"good", b"evil"))
    with pytest.raises(DigestMismatch, match=r"tokenizer\.json"):
        store.activate("words", "2.0.0")
    assert store.active(TASK).manifest.version == "1.0.0"


def test_a_bundle_with_a_missing_file_is_left_out_but_named_when_asked_for(
    store: Store, tmp_path: Path
) -> None:
    install(store, tmp_path, "2.0.0")
    store.find("words", "2.0.0").path("tokenizer.json").unlink()
    assert [b.manifest.version for b in store.bundles()] == ["1.0.0"]
    with pytest.raises(BundleInvalid, match="missing"):
        store.find("words", "2.0.0")


def test_the_same_version_with_other_content_is_refused(store: Store, tmp_path: Path) -> None:
    install(store, tmp_path, "2.0.0")
    other = write_bundle(tmp_path / "other", version="2.0.0").folder
    (other / "tokenizer.json").write_text("{}")
    manifest = (other / "manifest.toml").read_text()
    old = load_manifest(other).files[0]
    manifest = manifest.replace(old.sha256, sha256_of(other / "tokenizer.json"))
    (other / "manifest.toml").write_text(manifest.replace(f"bytes = {old.bytes}", "bytes = 2"))
    with pytest.raises(BundleInvalid, match="another version"):
        store.install(other)


def test_installing_leaves_nothing_half_done_when_the_digest_is_wrong(
    store: Store, tmp_path: Path
) -> None:
    folder = write_bundle(tmp_path / "bad", version="9.0.0").folder
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text.replace("good", "evil"))
    with pytest.raises(DigestMismatch):
        store.install(folder)
    assert not (store.home / "models").exists()


def test_an_active_version_cannot_be_removed(store: Store, tmp_path: Path) -> None:
    install(store, tmp_path, "2.0.0")
    store.activate("words", "2.0.0")
    with pytest.raises(InvalidInput, match="active"):
        store.remove("words", "2.0.0")
    store.rollback(TASK)
    store.remove("words", "2.0.0")
    assert [b.manifest.version for b in store.bundles()] == ["1.0.0"]


def test_an_unknown_model_is_answered_with_the_known_names(store: Store) -> None:
    with pytest.raises(ModelNotFound, match="known: words"):
        store.find("wrods")


def test_a_task_name_cannot_leave_the_folder(store: Store) -> None:
    with pytest.raises(InvalidInput):
        store.history("../../etc/passwd")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('path = "tokenizer.json"', 'path = "../tokenizer.json"', "files"),
        ('path = "tokenizer.json"', 'path = "/etc/passwd"', "files"),
        ('name = "words"', 'name = "../words"', "name"),
        ('version = "1.0.0"', 'version = ""', "version"),
        ('license = "Apache-2.0"', "license = 3", "license"),
        ('labels = ["negative", "neutral", "positive"]', 'labels = "negative"', "labels"),
    ],
)
def test_a_manifest_that_breaks_a_rule_names_the_field(
    tmp_path: Path, old: str, new: str, field: str
) -> None:
    folder = write_bundle(tmp_path / "bundle").folder
    path = folder / "manifest.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(BundleInvalid) as caught:
        load_bundle(folder)
    assert caught.value.field == field


def test_a_manifest_that_is_not_toml_is_an_error_of_the_family(tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_text("name = ")
    with pytest.raises(BundleInvalid, match="not TOML"):
        load_manifest(tmp_path)


def test_the_shipped_bundles_are_as_their_manifests_promise() -> None:
    bundles = Store(Path("/nonexistent")).bundles()
    assert any(bundle.manifest.task == TASK for bundle in bundles)
    for bundle in bundles:
        verify(bundle)
        assert bundle.card(), f"{bundle.manifest.name} has no card"


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4))
def test_versions_order_by_number_not_by_letter(parts: list[int]) -> None:
    higher = [*parts[:-1], parts[-1] + 1]
    assert version_key(".".join(map(str, parts))) < version_key(".".join(map(str, higher)))
