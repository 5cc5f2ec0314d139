"""The web door: a Django project that serves the REST API and the console, and holds no model."""
