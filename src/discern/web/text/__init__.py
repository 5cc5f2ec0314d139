"""The mood of texts: one request, recorded analyses, and files of texts as jobs."""
