"""Which models exist, in which versions, on what terms, and which of them is active."""
