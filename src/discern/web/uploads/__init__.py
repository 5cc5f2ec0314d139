"""Pictures people upload: stored at once, processed in the background, never lost."""
