"""One person's list: a sum of sparse rows over recent interactions, filtered, varied, explained.

Work and memory of a request grow with the rows of the history, not with the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from discern.errors import NotFound
from discern.recommendations.catalogue import Catalogue, Columns
from discern.recommendations.contract import (
    MAX_HISTORY,
    Content,
    Filters,
    Reason,
    Recommendation,
    RecommendationRequest,
    check_contents,
    check_count,
    check_request,
)
from discern.recommendations.diversity import spread
from discern.recommendations.exploration import Turn, pool_size
from discern.recommendations.fresh import FreshContents
from discern.recommendations.gram import Floats
from discern.recommendations.history import History, weigh
from discern.recommendations.model import NEGLIGIBLE, Model, prior_share, short_share
from discern.recommendations.rows import Row, Rows
from discern.recommendations.term_sums import TermSums

POOL_FACTOR: Final = 5
SMALLEST_POOL: Final = 50
POPULAR_BLOCK: Final = 256
HEAD_FACTOR: Final = 2


class ModelRows:
    """The rows of a model as fitted; a new content's row comes from its words."""

    def __init__(self, model: Model, fresh: FreshContents) -> None:
        self._model = model
        self._fresh = fresh

    def row(self, column: int) -> Row:
        model = self._model
        if column >= model.size:
            targets, weights = self._fresh.row(column)
            return targets, weights, weights
        span = slice(model.indptr.item(column), model.indptr.item(column + 1))
        # Not converted here: one conversion of all rows together costs a tenth of fifty.
        return model.indices[span], model.long[span], model.short[span]


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a fold-in: term k gives ``values[k]`` to ``targets[k]`` and comes from
    ``sources[k]``, a place in the history."""

    targets: NDArray[np.int32]
    values: Floats
    sources: NDArray[np.int32]

    def of(self, chosen: NDArray[np.bool_]) -> Terms:
        """Those that come from the ``chosen`` places of the history."""
        kept = np.flatnonzero(chosen[self.sources])
        return Terms(self.targets[kept], self.values[kept], self.sources[kept])


@dataclass(frozen=True, slots=True)
class _Candidates:
    columns: Columns
    scores: NDArray[np.floating[Any]]

    def allowed(self, catalogue: Catalogue, filters: Filters, seen: Columns) -> _Candidates:
        keep = catalogue.allowed(self.columns, filters, seen)
        return _Candidates(self.columns[keep], self.scores[keep])

    def best(self, count: int) -> _Candidates:
        found = self._top(count)
        order = np.lexsort((found.columns, -found.scores))[:count]
        return _Candidates(found.columns[order], found.scores[order].astype(np.float64))

    def best_allowed(
        self, count: int, catalogue: Catalogue, filters: Filters, seen: Columns
    ) -> _Candidates:
        """The best ``count`` that the filters let through. Filters cost more than a choice, so
        they see the top first, and everything only if that leaves too few."""
        enough = HEAD_FACTOR * (count + len(seen))
        if len(self.columns) > enough:
            head = self._top(enough).allowed(catalogue, filters, seen)
            if len(head.columns) >= count:
                return head.best(count)
        return self.allowed(catalogue, filters, seen).best(count)

    def _top(self, count: int) -> _Candidates:
        if len(self.columns) <= count:
            return self
        # Ties at the edge all stay: which of them is in must not depend on the partition.
        edge = np.partition(self.scores, -count)[-count]
        keep = self.scores >= edge
        return _Candidates(self.columns[keep], self.scores[keep])


class Ranker:
    """Answers requests from one model. Safe to call from many threads at once."""

    def __init__(
        self,
        model: Model,
        catalogue: Catalogue,
        *,
        rows: Rows | None = None,
        fresh: FreshContents | None = None,
    ) -> None:
        self.model = model
        self.catalogue = catalogue
        self.fresh = fresh if fresh is not None else FreshContents.none()
        self.rows = rows or ModelRows(model, self.fresh)
        self._sums = TermSums(model.size)
        self._popular = np.lexsort((np.arange(model.size), -model.popularity)).astype(np.int64)

    def add_contents(self, contents: Iterable[Content]) -> None:
        """Adds or replaces contents; those that nobody has met in the model are ranked as new."""
        given = check_contents(list(contents))
        self.catalogue.add(given)
        new = []
        for content in given:
            column = self.catalogue.column(content.id)
            if column is not None and (
                column >= self.model.size or self.model.popularity[column] == 0
            ):
                new.append((column, content))
        self.fresh.add(new)

    def recommend(self, request: RecommendationRequest) -> list[Recommendation]:
        """The person's list, best first; shorter than ``n`` only if the filters leave no more.

        The same request to the same model gives the same list.

        Raises:
            InvalidInput, TooLarge: a value outside its range.
        """
        check_request(request)
        history = weigh(request.history, self.catalogue.column, request.now)
        terms = fold_in(self.rows, history, self.model.settings.short_history)
        seen = self._seen(history, request)
        known = self._known(history, terms, request, seen)
        chosen = spread(
            known.columns, known.scores, self.rows, self.catalogue, request.n, request.diversity
        )
        listed, scores = known.columns[chosen], known.scores[chosen]
        fame = self._fame(known, history, request, seen)
        reasons = self._reasons(listed, history, terms, fame)
        lines = [
            Recommendation(self.catalogue.content(column).id, score, reason)
            for column, score, reason in zip(listed.tolist(), scores.tolist(), reasons, strict=True)
        ]
        return self._with_fresh(lines, history, request, seen)

    def similar(
        self, content: str, n: int = 10, filters: Filters | None = None
    ) -> list[Recommendation]:
        """Contents the same people like or, for a new one, alike in words; best first.

        Raises:
            NotFound: no such content.
        """
        check_count(n)
        column = self.catalogue.column(content)
        if column is None:
            raise NotFound(f"There is no content '{content}'.", field="content_id")
        targets, long, _ = self.rows.row(column)
        found = _Candidates(targets[long > 0].astype(np.int64), long[long > 0].astype(np.float64))
        own = np.array([column], dtype=np.int64)
        best = found.allowed(self.catalogue, filters or Filters(), own).best(n + 1)
        reason = Reason("similar", content=content)
        return [
            Recommendation(self.catalogue.content(int(found)).id, float(score), reason)
            for found, score in zip(best.columns, best.scores, strict=True)
            if found != column
        ][:n]

    def _seen(self, history: History, request: RecommendationRequest) -> Columns:
        """What the person met: more than the weighed history where that was cut off."""
        if not request.seen and len(history.columns) < MAX_HISTORY:
            return history.columns
        names = {event.content for event in request.history}.union(request.seen)
        columns = [self.catalogue.column(name) for name in names]
        return np.array([column for column in columns if column is not None], dtype=np.int64)

    def _known(
        self, history: History, terms: Terms, request: RecommendationRequest, seen: Columns
    ) -> _Candidates:
        columns, scores = self._sums(terms.targets, terms.values)
        share = float(prior_share(history.length))
        pool = max(request.n * POOL_FACTOR, SMALLEST_POOL)
        if share > NEGLIGIBLE:
            popular = self._popular[: pool + len(seen)]
            rest = popular[~np.isin(popular, columns)]
            columns = np.concatenate([columns, rest])
            scores = np.concatenate([scores, np.zeros(len(rest), dtype=np.float32)])
            inside = columns < self.model.size
            scores[inside] += share * self.model.prior[columns[inside]]
        found = _Candidates(columns, scores)
        found = found.best_allowed(pool, self.catalogue, request.filters, seen)
        if len(found.columns) >= request.n:
            return found
        return self._filled(found, request, seen)

    def _filled(
        self, found: _Candidates, request: RecommendationRequest, seen: Columns
    ) -> _Candidates:
        """Adds the most popular contents that the filters allow, below everything found."""
        floor = float(found.scores.min(initial=0.0))
        columns, scores = [found.columns], [found.scores]
        missing = request.n - len(found.columns)
        for start in range(0, len(self._popular), POPULAR_BLOCK):
            block = self._popular[start : start + POPULAR_BLOCK]
            block = block[self.catalogue.allowed(block, request.filters, seen)]
            block = block[~np.isin(block, found.columns)][:missing]
            columns.append(block)
            places = np.arange(1, len(block) + 1) + (request.n - missing)
            scores.append(np.asarray(floor - 1e-6 * places, dtype=np.float64))
            missing -= len(block)
            if missing <= 0:
                break
        return _Candidates(np.concatenate(columns), np.concatenate(scores))

    def _fame(
        self, known: _Candidates, history: History, request: RecommendationRequest, seen: Columns
    ) -> dict[int, float]:
        """Of those that are listed for their popularity, what it adds to their scores: whatever
        popularity alone would list, and no further up than it would."""
        share = float(prior_share(history.length))
        if share <= NEGLIGIBLE:
            return {}
        # What the person did may have sunk some of the popular below all candidates.
        head = self._popular[: max(request.n * POOL_FACTOR, SMALLEST_POOL) + len(seen)]
        head = head[self.catalogue.allowed(head, request.filters, seen)]
        inside = np.union1d(head, known.columns[known.columns < self.model.size])
        first = inside[np.lexsort((inside, -self.model.prior[inside]))[: request.n]]
        worth = share * self.model.prior[first]
        alone = np.searchsorted(-known.scores, -worth)  # places with nothing but popularity
        places = {int(column): place for place, column in enumerate(known.columns)}
        return {
            column: float(worth[place])
            for place, column in enumerate(first.tolist())
            if places.get(column, place) >= min(place, int(alone[place]))
        }

    def _reasons(
        self, listed: Columns, history: History, terms: Terms, fame: dict[int, float]
    ) -> list[Reason]:
        """For each listed content the interaction that spoke for it the most."""
        if len(history.columns) > history.length:
            # A dislike can be the largest term, where it holds back what goes against a content.
            terms = terms.of(history.weights > 0)
        largest = self._sums.largest(listed, terms.targets, terms.values)
        reasons = []
        for column, place in zip(listed.tolist(), largest, strict=True):
            if place is not None and terms.values[place] > fame.get(column, 0.0):
                source = int(history.columns[terms.sources[place]])
                reasons.append(Reason("because", content=self.catalogue.content(source).id))
            else:
                reasons.append(Reason("popular"))
        return reasons

    def _with_fresh(
        self,
        lines: list[Recommendation],
        history: History,
        request: RecommendationRequest,
        seen: Columns,
    ) -> list[Recommendation]:
        """Gives every k-th place to a content too new to be known, k from ``exploration``; and
        the end of a list that is short of others. The best of them take turns from day to day."""
        if self.fresh.empty:
            return lines[: request.n]
        turn = Turn.of(request)
        wanted = max(turn.places(request.n, request.exploration), request.n - len(lines))
        if wanted <= 0:
            return lines
        columns, scores = self.fresh.scores(history)
        if not len(columns):
            return lines[: request.n]
        fresh = _Candidates(columns, scores)
        fresh = fresh.allowed(self.catalogue, request.filters, seen)
        listed = {line.content for line in lines}
        pool = fresh.best(pool_size(wanted) + len(listed))
        new = [
            (column, score)
            for column, score in zip(pool.columns.tolist(), pool.scores.tolist(), strict=True)
            if self.catalogue.content(column).id not in listed
        ][: pool_size(wanted)]
        chosen = turn.choose(wanted, len(new)).tolist()
        return _woven(lines, [self._new_line(*new[rank]) for rank in chosen], request.n)

    def _new_line(self, column: int, score: float) -> Recommendation:
        content = self.catalogue.content(column)
        return Recommendation(content.id, score, Reason("new", category=content.category or None))


def fold_in(rows_of: Rows, history: History, short_history: float) -> Terms:
    """Every term of the sum of the history's rows, each times its interaction's weight.

    Summed by target it is the product of the history with the weight matrix.
    """
    share = float(short_share(float(history.length), short_history))
    rows = [rows_of.row(column) for column in history.columns.tolist()]
    if not rows:
        empty = np.empty(0, dtype=np.int32)
        return Terms(empty, np.empty(0, dtype=np.float32), empty)
    lengths = [len(targets) for targets, _, _ in rows]
    sources = np.repeat(np.arange(len(rows), dtype=np.int32), lengths)
    values = np.concatenate([long for _, long, _ in rows]).astype(np.float32)
    if share > NEGLIGIBLE:
        values *= np.float32(1 - share)
        short = np.concatenate([short for _, _, short in rows]).astype(np.float32)
        short *= np.float32(share)
        values += short
    values *= history.weights[sources]
    return Terms(np.concatenate([targets for targets, _, _ in rows]), values, sources)


def _woven(lines: list[Recommendation], new: list[Recommendation], n: int) -> list[Recommendation]:
    if not new:
        return lines[:n]
    kept = lines[: n - len(new)]
    every = max(1, (len(kept) + len(new)) // len(new))
    woven: list[Recommendation] = []
    waiting = list(new)
    for line in kept:
        woven.append(line)
        if waiting and (len(woven) + 1) % every == 0:
            woven.append(waiting.pop(0))
    return [*woven, *waiting][:n]
