"""What the site does for recommendations, over the API and on its own."""
