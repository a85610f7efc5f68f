"""A report: everything about a run, or several, in one HTML file that needs nothing else."""

from runyard.apps.report.report import Options, Report, build_report

__all__ = ["Options", "Report", "build_report"]
