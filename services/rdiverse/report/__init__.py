"""One page per run: self-contained HTML, no network; its one script searches and filters the questions."""

from rdiverse.report.page import write_report

__all__ = ["write_report"]
