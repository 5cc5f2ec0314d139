"""Addresses of recommendations, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from discern.web.recommendations import views

urlpatterns = [
    path("contents", views.ContentsView.as_view()),
    path("contents/<str:content_id>", views.ContentView.as_view()),
    path("contents/<str:content_id>/similar", views.SimilarView.as_view()),
    path("interactions", views.InteractionsView.as_view()),
    path("recommendations", views.RecommendationsView.as_view()),
    path("recommendations/metrics", views.MetricsView.as_view()),
    path("people/<str:person_id>", views.PersonView.as_view()),
    path("imports", views.ImportsView.as_view()),
    path("imports/<uuid:job_id>", views.ImportView.as_view()),
]
