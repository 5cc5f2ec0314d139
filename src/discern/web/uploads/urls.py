"""Addresses of uploads, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from discern.web.uploads import tus_views, views

urlpatterns = [
    path("uploads", views.UploadsView.as_view()),
    path("uploads/resumable", tus_views.ResumablesView.as_view()),
    path("uploads/resumable/<uuid:resumable_id>", tus_views.ResumableView.as_view()),
    path("uploads/<uuid:upload_id>", views.UploadView.as_view()),
    path("uploads/<uuid:upload_id>/retry", views.RetryView.as_view()),
    path("uploads/<uuid:upload_id>/events", views.EventsView.as_view()),
    path("uploads/<uuid:upload_id>/picture", views.PictureView.as_view()),
    path("uploads/<uuid:upload_id>/thumbnail", views.ThumbnailView.as_view()),
    path("uploads/<uuid:upload_id>/overlay.svg", views.OverlayView.as_view()),
    path("uploads/<uuid:upload_id>/annotated.png", views.AnnotatedView.as_view()),
]
