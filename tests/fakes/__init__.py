"""Stand-ins a reader can understand; never patched mocks."""
