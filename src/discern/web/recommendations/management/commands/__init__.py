"""Management commands of recommendations."""
