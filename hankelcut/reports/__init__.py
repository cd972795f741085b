"""Reports: what a reduction did, in words, in numbers and on a page with pictures."""

from hankelcut.reports.page import Picture, embed, environment, write_page
from hankelcut.reports.reduction_report import write_reduction_report
from hankelcut.reports.reduction_summary import ReductionSummary, ValueRow
from hankelcut.reports.system_analysis import (
    OrderAdvice,
    PoleFacts,
    SystemAnalysis,
    analyze_system,
)

__all__ = [
    "OrderAdvice",
    "Picture",
    "PoleFacts",
    "ReductionSummary",
    "SystemAnalysis",
    "ValueRow",
    "analyze_system",
    "embed",
    "environment",
    "write_page",
    "write_reduction_report",
]
