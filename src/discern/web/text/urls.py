"""Addresses of texts, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from discern.web.text import job_views, views

urlpatterns = [
    path("analyze", views.AnalyzeView.as_view(), name="analyze"),
    path("analyses", views.AnalysesView.as_view(), name="analyses"),
    path("analyses/<uuid:analysis_id>", views.AnalysisView.as_view(), name="analysis"),
    path("analyses/<uuid:analysis_id>/feedback", views.FeedbackView.as_view(), name="feedback"),
    path("text-jobs", job_views.TextJobsView.as_view(), name="text-jobs"),
    path("text-jobs/<uuid:job_id>", job_views.TextJobView.as_view(), name="text-job"),
    path("text-jobs/<uuid:job_id>/retry", job_views.RetryView.as_view(), name="text-job-retry"),
    path("text-jobs/<uuid:job_id>/rows", job_views.RowsView.as_view(), name="text-job-rows"),
    path(
        "text-jobs/<uuid:job_id>/result.csv",
        job_views.ResultView.as_view(),
        name="text-job-result",
    ),
]
