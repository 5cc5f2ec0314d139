"""An app with one table, so that the jobs machinery is proved apart from any domain."""
