"""Addresses of recommendations, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from discern.web.recommendations.views import contents, people, running

urlpatterns = [
    path("contents", contents.ContentsView.as_view()),
    # Ids may hold slashes, so the longer of the two addresses comes first.
    path("contents/<path:content_id>/similar", contents.SimilarView.as_view()),
    path("contents/<path:content_id>", contents.ContentView.as_view()),
    path("categories", contents.CategoriesView.as_view()),
    path("interactions", people.InteractionsView.as_view()),
    path("recommendations", people.RecommendationsView.as_view()),
    path("recommendations/metrics", running.MetricsView.as_view()),
    path("recommendations/fits", running.FitsView.as_view()),
    path("recommendations/fits/<uuid:job_id>", running.FitView.as_view()),
    path("people/<path:person_id>", people.PersonView.as_view()),
    path("imports", running.ImportsView.as_view()),
    path("imports/<uuid:job_id>", running.ImportView.as_view()),
]
