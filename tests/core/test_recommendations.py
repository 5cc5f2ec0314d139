"""Recommendations: the sum behind a list, its filters, its reasons, and what is kept of people."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.errors import BundleInvalid, DigestMismatch, EmptyInput, InvalidInput, TooLarge
from discern.recommendations import (
    Content,
    Filters,
    Interaction,
    RecommendationRequest,
    Recommender,
)
from discern.recommendations.arms import Arm, assign, rate
from discern.recommendations.catalogue import Catalogue
from discern.recommendations.counters import Counters
from discern.recommendations.event_log import EventLog
from discern.recommendations.fit import fit_model
from discern.recommendations.history import weigh
from discern.recommendations.live import LiveModel, LiveRows
from discern.recommendations.matrices import Ratings, from_interactions
from discern.recommendations.model import Model, Scorer
from discern.recommendations.rank import ModelRows, Ranker, fold_in
from discern.recommendations.settings import Settings

SIZE = 40
PEOPLE = 80
CATEGORIES = ("sea", "sky", "soil", "soup")
SETTINGS = Settings(neighbours=15, ridge=1.0, content_weight=0.0, short_dropout=0.9)


def _contents(count: int = SIZE) -> list[Content]:
    return [
        Content(
            id=f"c{i}",
            title=f"Title {i}",
            text=f"{CATEGORIES[i % 4]} words{i % 7} more{i % 5} only{i}",
            category=CATEGORIES[i % 4],
            tags=(f"t{i % 3}",),
            available=i % 11 != 10,
        )
        for i in range(count)
    ]


def _interactions(seed: int = 3) -> list[Interaction]:
    """People who mostly like one category, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    events = []
    for person in range(PEOPLE):
        fond = person % 4
        weights = np.where(np.arange(SIZE) % 4 == fond, 20.0, 1.0)
        chosen = rng.choice(
            SIZE, size=int(rng.integers(4, 10)), replace=False, p=weights / weights.sum()
        )
        events += [
            Interaction(f"p{person}", f"c{item}", liked=True, at=1000.0 + person + place)
            for place, item in enumerate(chosen)
        ]
    return events


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    return Recommender.fit(_contents(), _interactions(), settings=SETTINGS)


histories = st.lists(
    st.builds(
        Interaction,
        person=st.just("x"),
        content=st.integers(0, SIZE + 3).map(lambda i: f"c{i}"),
        liked=st.booleans(),
        disliked=st.booleans(),
        view_time=st.floats(0, 400),
        at=st.floats(0, 1e7),
    ),
    max_size=30,
).map(tuple)
filters = st.builds(
    Filters,
    categories=st.lists(st.sampled_from(CATEGORIES), max_size=2).map(tuple),
    tags=st.lists(st.sampled_from(["t0", "t1", "t2", "none"]), max_size=2).map(tuple),
    exclude=st.lists(st.integers(0, SIZE).map(lambda i: f"c{i}"), max_size=5).map(tuple),
    allow_seen=st.booleans(),
    allow_unavailable=st.booleans(),
)


@given(history=histories)
@settings(max_examples=60, deadline=None)
def test_fold_in_equals_the_product_of_the_history_with_the_weights(
    recommender: Recommender, history: tuple[Interaction, ...]
) -> None:
    ranker = recommender.ranker
    weighed = weigh(history, ranker.catalogue.column)
    terms = fold_in(ranker.rows, weighed, 0.0)
    summed = np.bincount(terms.targets, weights=terms.values, minlength=SIZE)
    row = np.zeros(SIZE)
    row[weighed.columns] = weighed.weights
    assert np.allclose(summed, row @ ranker.model.matrix().toarray(), atol=1e-4)


@given(history=histories, allowed=filters, diversity=st.sampled_from([0.0, 0.4, 1.0]))
@settings(max_examples=80, deadline=None)
def test_no_filter_ever_leaks_and_no_line_comes_twice(
    recommender: Recommender,
    history: tuple[Interaction, ...],
    allowed: Filters,
    diversity: float,
) -> None:
    request = RecommendationRequest(history=history, filters=allowed, n=15, diversity=diversity)
    found = recommender.ranker.recommend(request)
    known = {content.id: content for content in _contents()}
    seen = {event.content for event in history}
    assert len({line.content for line in found}) == len(found) <= 15
    for line in found:
        content = known[line.content]
        assert not allowed.categories or content.category in allowed.categories
        assert not allowed.tags or set(content.tags) & set(allowed.tags)
        assert content.id not in allowed.exclude
        assert allowed.allow_unavailable or content.available
        assert allowed.allow_seen or content.id not in seen


WIDE = 320


@pytest.fixture(scope="module")
def wide() -> Recommender:
    recommender = Recommender.fit(_contents(WIDE), _interactions(), settings=SETTINGS)
    recommender.add_contents([Content(f"new{i}", text=f"sea words{i % 7}") for i in range(20)])
    return recommender


@given(
    order=st.permutations(range(WIDE)),
    count=st.integers(201, 300),
    told=st.integers(0, 300),
    n=st.integers(1, 120),
    exploration=st.sampled_from([0.0, 0.1, 1.0]),
)
@settings(max_examples=30, deadline=None)
def test_what_was_met_before_the_newest_200_is_not_listed_either(
    wide: Recommender, order: list[int], count: int, told: int, n: int, exploration: float
) -> None:
    met = [f"c{i}" for i in order[:count]] + ["new1", "new2"]
    history = tuple(Interaction("x", name, liked=True, at=9.0 - i) for i, name in enumerate(met))
    request = RecommendationRequest(
        history=history[:told], seen=tuple(met), n=n, exploration=exploration
    )
    found = wide.ranker.recommend(request)
    assert not {line.content for line in found} & set(met)
    if told >= count:
        alone = RecommendationRequest(history=history[:told], n=n, exploration=0.0)
        listed = {line.content for line in wide.ranker.recommend(alone)}
        assert not listed & set(met[:told])


def test_a_recommender_lists_nothing_that_was_met_thousands_of_events_ago(
    wide: Recommender,
) -> None:
    for i in range(300):
        wide.add(Interaction("reader", f"c{i}", liked=True, at=float(i)))
    for again in range(2_500):
        wide.add(Interaction("reader", f"c{again % 3}", view_time=1.0, at=1000.0 + again))
    listed = {line.content for line in wide.recommend("reader", 100)}
    assert listed
    assert not listed & {f"c{i}" for i in range(300)}
    wide.erase("reader")


def test_a_like_taken_back_leaves_the_reading_that_was_told_with_it(
    recommender: Recommender,
) -> None:
    recommender.add(Interaction("reader", "c1", liked=True, view_time=30.0, at=1.0))
    recommender.add(Interaction("reader", "c1", disliked=True, at=2.0))
    assert recommender.withdraw("reader", "c1") == 2
    assert recommender.withdraw("reader", "c1") == 0
    assert "c1" not in {line.content for line in recommender.recommend("reader", SIZE)}
    assert recommender.erase("reader") == 1


@given(history=histories, diversity=st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_the_same_request_gives_the_same_list(
    recommender: Recommender, history: tuple[Interaction, ...], diversity: float
) -> None:
    request = RecommendationRequest(history=history, diversity=diversity)
    assert recommender.ranker.recommend(request) == recommender.ranker.recommend(request)


@given(history=histories)
@settings(max_examples=60, deadline=None)
def test_a_reason_names_something_the_person_met_and_did_not_dislike(
    recommender: Recommender, history: tuple[Interaction, ...]
) -> None:
    found = recommender.ranker.recommend(RecommendationRequest(history=history))
    fond = {event.content for event in history if not event.disliked}
    for line in found:
        if line.reason.kind == "because":
            assert line.reason.content in fond


@given(history=histories, n=st.integers(1, SIZE))
@settings(max_examples=40, deadline=None)
def test_a_list_is_only_shorter_than_asked_when_nothing_is_left(
    recommender: Recommender, history: tuple[Interaction, ...], n: int
) -> None:
    found = recommender.ranker.recommend(RecommendationRequest(history=history, n=n))
    seen = {event.content for event in history}
    left = [c for c in _contents() if c.available and c.id not in seen]
    assert len(found) == min(n, len(left))


def test_lists_follow_what_people_like(recommender: Recommender) -> None:
    for place, category in enumerate(CATEGORIES):
        for item in (place, place + 4, place + 8):
            recommender.add(Interaction(f"fan{place}", f"c{item}", liked=True, at=1.0))
        found = recommender.recommend(f"fan{place}", 5, exploration=0)
        hits = sum(int(line.content[1:]) % 4 == place for line in found)
        assert hits >= 3, category


def test_a_like_changes_the_very_next_list(recommender: Recommender) -> None:
    before = recommender.recommend("newcomer", 10)
    recommender.add(Interaction("newcomer", "c2", liked=True, at=1.0))
    after = recommender.recommend("newcomer", 10)
    assert [line.content for line in before] != [line.content for line in after]
    assert any(line.reason.content == "c2" for line in after)


def test_after_one_like_what_popularity_would_not_list_is_there_because_of_it(
    recommender: Recommender,
) -> None:
    before = {line.content for line in recommender.recommend("nobody at all", 6, exploration=0)}
    like = Interaction("somebody", "c12", liked=True)
    request = RecommendationRequest(history=(like,), n=6, exploration=0)
    found = recommender.ranker.recommend(request)
    moved_in = [line for line in found if line.content not in before]
    assert moved_in
    assert {(line.reason.kind, line.reason.content) for line in moved_in} == {("because", "c12")}


def test_more_diversity_means_less_alike(recommender: Recommender) -> None:
    history = tuple(Interaction("x", f"c{i}", liked=True) for i in (0, 4, 8))

    def categories(diversity: float) -> int:
        request = RecommendationRequest(history=history, n=8, diversity=diversity, exploration=0)
        found = recommender.ranker.recommend(request)
        return len({int(line.content[1:]) % 4 for line in found})

    assert categories(0.0) < categories(0.9)


def test_a_new_content_is_suggested_to_those_its_words_fit(recommender: Recommender) -> None:
    fitted = Recommender.fit(_contents(), _interactions(), settings=SETTINGS)
    fitted.add_contents([Content("brand-new", text="sea words1 more1", category="sea")])
    for item in ("c0", "c4", "c8", "c12"):
        fitted.add(Interaction("sailor", item, liked=True, at=1.0))
        fitted.add(Interaction("cook", f"c{int(item[1:]) + 3}", liked=True, at=1.0))
    assert "brand-new" in {line.content for line in fitted.recommend("sailor", 10)}
    scores = {}
    for person in ("sailor", "cook"):
        history = weigh(fitted._histories[person], fitted.ranker.catalogue.column)
        columns, values = fitted.ranker.fresh.scores(history)
        scores[person] = dict(zip(columns.tolist(), values.tolist(), strict=True))[SIZE]
    assert scores["sailor"] > scores["cook"]
    similar = fitted.similar("brand-new", 3)
    assert similar
    assert all(line.reason.content == "brand-new" for line in similar)


def test_somebody_unknown_gets_the_popular(recommender: Recommender) -> None:
    found = recommender.recommend("nobody at all", 5, exploration=0)
    popular = recommender.ranker.model.popularity
    available = [i for i, content in enumerate(_contents()) if content.available]
    best = sorted(available, key=lambda i: (-popular[i], i))[:5]
    assert [line.content for line in found] == [f"c{i}" for i in best]
    assert {line.reason.kind for line in found} == {"popular"}


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"n": 0}, InvalidInput, "n"),
        ({"n": 501}, TooLarge, "n"),
        ({"diversity": 1.5}, InvalidInput, "diversity"),
        ({"exploration": float("nan")}, InvalidInput, "exploration"),
        ({"filters": Filters(exclude=("x",) * 10_001)}, TooLarge, "exclude"),
        ({"seen": ("x",) * 20_001}, TooLarge, "seen"),
    ],
)
def test_requests_outside_the_limits_name_field(
    recommender: Recommender, changes: dict[str, object], error: type[Exception], field: str
) -> None:
    with pytest.raises(error) as caught:
        recommender.ranker.recommend(RecommendationRequest(**changes))  # type: ignore[arg-type]
    assert caught.value.field == field  # type: ignore[attr-defined]


def test_two_csv_files_are_enough(tmp_path: Path) -> None:
    (tmp_path / "contents.csv").write_text(
        "content_id,title,category\n"
        + "".join(f"{c.id},{c.title},{c.category}\n" for c in _contents())
    )
    (tmp_path / "interactions.csv").write_text(
        "user_id,content_id\n" + "".join(f"{e.person},{e.content}\n" for e in _interactions())
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
        Recommender.fit(_contents(), [Interaction("a", "unlisted", liked=True)])


def _ratings(events: list[Interaction]) -> Ratings:
    return from_interactions(events, [content.id for content in _contents()])


def test_a_column_solved_again_is_what_a_new_fit_gives() -> None:
    ratings = _ratings(_interactions())
    model = fit_model(ratings.matrix, ratings.contents, settings=SETTINGS)
    counters = Counters.of(ratings, SETTINGS)
    weights = model.matrix().toarray()
    for column in range(0, SIZE, 7):
        neighbours, long, _ = counters.solve(column)
        solved = np.zeros(SIZE)
        solved[neighbours] = long
        assert np.allclose(solved, weights[:, column], atol=2e-3)


def _live(log: EventLog, ratings: Ratings, model: Model, after: int) -> LiveModel:
    catalogue = Catalogue(model.contents)
    ranker = Ranker(model, catalogue)
    rows = LiveRows(ModelRows(model, ranker.fresh), model.size)
    counters = Counters.of(ratings, SETTINGS)
    return LiveModel(log, rows, counters, catalogue, after=after)


def _settle(live: LiveModel) -> None:
    live.catch_up()
    while live.waiting:
        live.resolve(columns=1000, seconds=10)


def _dense(live: LiveModel) -> np.ndarray:
    dense = np.zeros((SIZE, SIZE))
    for row in range(SIZE):
        targets, long, _ = live.rows.row(row)
        dense[row, targets] = long
    return dense


def test_processes_that_read_one_log_come_to_the_same_weights(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    log.append(_interactions())
    learned = log.last_number()
    ratings = _ratings(_interactions())
    model = fit_model(ratings.matrix, ratings.contents, settings=SETTINGS)
    early = _live(log, ratings, model, learned)
    log.append([Interaction(f"n{i}", f"c{i % 5}", liked=True, at=9e5 + i) for i in range(30)])
    early.catch_up()
    early.resolve(columns=2)
    log.append([Interaction(f"n{i}", f"c{i % 7}", liked=True, at=9.1e5 + i) for i in range(30)])
    late = _live(EventLog(tmp_path / "events.sqlite"), ratings, model, learned)
    _settle(early)
    _settle(late)
    assert early.position == late.position == log.last_number()
    assert np.array_equal(_dense(early), _dense(late))
    assert not np.allclose(_dense(early), model.matrix().toarray(), atol=1e-3)


def test_erasing_a_person_takes_their_part_out_everywhere(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    base = _interactions()
    log.append(base)
    ratings = _ratings(base)
    model = fit_model(ratings.matrix, ratings.contents, settings=SETTINGS)
    live = _live(log, ratings, model, log.last_number())
    log.append([Interaction("ghost", f"c{i}", liked=True, at=5e5 + i) for i in (1, 2, 3, 7)])
    _settle(live)
    haunted = _dense(live)
    assert log.erase("ghost") == 4
    _settle(live)
    assert log.of_person("ghost") == []
    assert b"ghost" not in b"".join(path.read_bytes() for path in tmp_path.iterdir()) or _vacuumed(
        tmp_path / "events.sqlite"
    )
    clean = Counters.of(ratings, SETTINGS)
    for column in (1, 2, 3, 7):
        neighbours, long, _ = clean.solve(column)
        solved = np.zeros(SIZE)
        solved[neighbours] = long
        assert np.allclose(_dense(live)[:, column], solved, atol=1e-3)
    assert not np.allclose(haunted, _dense(live), atol=1e-4)


def _vacuumed(path: Path) -> bool:
    """The write-ahead log keeps old pages until a checkpoint; after one nothing may be left."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return b"ghost" not in path.read_bytes()


def test_the_log_takes_the_same_event_once_and_counts_the_rest(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    event = Interaction("a", "x", liked=True, at=1000.0)
    first = log.append([event, event])
    again = log.append([event])
    assert (first.accepted, first.duplicates, first.late) == (1, 1, 1)
    assert (again.accepted, again.duplicates, again.last_number) == (0, 1, 1)
    with pytest.raises(TooLarge):
        log.append([event] * 10_001)


def test_short_histories_lean_on_their_own_weights_and_the_prior_fades() -> None:
    ratings = _ratings(_interactions())
    model = fit_model(ratings.matrix, ratings.contents, settings=SETTINGS)
    scorer = Scorer(model)
    nobody = sp.csr_matrix(np.zeros((1, SIZE), dtype=np.float32))
    assert np.allclose(scorer(nobody)[0], model.prior, atol=1e-6)


def test_arms_are_stable_independent_and_near_their_shares() -> None:
    arms = [Arm("a", 3), Arm("b", 1)]
    people = [f"person {i}" for i in range(4000)]
    first = [assign(person, "one", arms).name for person in people]
    assert first == [assign(person, "one", arms).name for person in people]
    assert 0.72 < first.count("a") / len(first) < 0.78
    other = [assign(person, "two", arms).name for person in people]
    both = sum(x == y == "b" for x, y in zip(first, other, strict=True)) / len(people)
    assert 0.04 < both < 0.085


@given(impressions=st.integers(0, 5000), data=st.data())
def test_a_rate_lies_inside_its_interval(impressions: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, impressions))
    found = rate(hits, impressions)
    assert 0 <= found.low <= found.value <= found.high <= 1
