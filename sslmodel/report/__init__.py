"""`slr report`: everything about a run on one page, which needs no network and runs no script."""

from sslmodel.report.write import write_report

__all__ = ["write_report"]
