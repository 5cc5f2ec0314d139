"""The web door: its API, its jobs, its probes, its settings."""
