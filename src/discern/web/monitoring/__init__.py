"""Lets the site be watched: metrics and health."""
