"""One page per run: self-contained HTML, no network, no scripts."""

from rdiverse.report.page import write_report

__all__ = ["write_report"]
