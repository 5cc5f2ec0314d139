"""Uploads through the API, with real files, a real database and the worker's own code."""
