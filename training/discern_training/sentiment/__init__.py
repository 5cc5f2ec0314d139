"""Trains, calibrates, quantizes and packs the sentiment bundle."""
