"""Methods side by side: what runs of the same base model and budget came to, from their summaries alone."""

from rdiverse.report.comparison.write import write_comparison

__all__ = ["write_comparison"]
