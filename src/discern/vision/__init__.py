"""Pictures: opened safely, their objects found, their text read. Knows no uploads and no paths."""
