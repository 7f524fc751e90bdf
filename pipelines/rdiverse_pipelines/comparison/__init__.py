"""Methods side by side: does the runs, keeps a small summary of each, and writes what they came to."""
