"""What HTTP asks of recommendations, translated for the services."""
