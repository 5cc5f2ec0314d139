"""What may happen to a job's row."""
