"""Sentiment: knows words, windows and labels; no storage, no users."""
