"""Object detectors: how each family wants its picture and how its outputs become boxes."""
