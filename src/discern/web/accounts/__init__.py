"""Who is calling: people, their sessions and their API keys."""
