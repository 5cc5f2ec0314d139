"""From two files to a recommender, and from that to a bundle that holds no person."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")


from discern.errors import BundleInvalid, DigestMismatch, EmptyInput
from discern.recommendations import (
    Interaction,
    RecommendationRequest,
    Recommender,
)
from tests.core.readers import (
    PEOPLE,
    SETTINGS,
    contents,
    interactions,
)


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    return Recommender.fit(contents(), interactions(), settings=SETTINGS)


def test_two_csv_files_are_enough(tmp_path: Path) -> None:
    (tmp_path / "contents.csv").write_text(
        "content_id,title,category\n"
        + "".join(f"{c.id},{c.title},{c.category}\n" for c in contents())
    )
    (tmp_path / "interactions.csv").write_text(
        "user_id,content_id\n" + "".join(f"{e.person},{e.content}\n" for e in interactions())
    )
    recommender = Recommender.fit(
        tmp_path / "contents.csv", tmp_path / "interactions.csv", tune_seconds=0
    )
    assert len(recommender.recommend("p1", 5)) == 5
    assert recommender.report["people"] == PEOPLE
    assert 0 < recommender.report["ndcg@10"] <= 1


def test_a_bundle_answers_as_the_model_it_was_saved_from(
    recommender: Recommender, tmp_path: Path
) -> None:
    folder = recommender.save(tmp_path / "bundle")
    loaded = Recommender.load(folder)
    history = tuple(Interaction("x", f"c{i}", liked=True) for i in (0, 4, 9))
    request = RecommendationRequest(history=history, n=20, diversity=0.2)
    assert loaded.ranker.recommend(request) == recommender.ranker.recommend(request)


def test_a_bundle_holds_no_person(recommender: Recommender, tmp_path: Path) -> None:
    recommender.add(Interaction("rumpelstiltskin", "c1", liked=True))
    folder = recommender.save(tmp_path / "bundle")
    for file in folder.iterdir():
        assert b"rumpelstiltskin" not in file.read_bytes()


def test_a_changed_file_is_refused_and_pickles_are_never_loaded(
    recommender: Recommender, tmp_path: Path
) -> None:
    folder = recommender.save(tmp_path / "bundle")
    data = bytearray((folder / "model.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.npz").write_bytes(bytes(data))
    with pytest.raises(DigestMismatch):
        Recommender.load(folder)
    with pytest.raises(BundleInvalid):
        recommender.save(folder)


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(EmptyInput):
        Recommender.fit(contents(), [Interaction("a", "unlisted", liked=True)])
