"""One HTML page per run."""
