"""What a reader of the last lines of a test run must not overlook."""

from __future__ import annotations

import os

import pytest

BROWSER_TESTS = "test_browser.py"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say that the report's page was not looked at in a browser, before the closing line."""
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(BROWSER_TESTS in report.nodeid for report in skipped)
    if count:
        reason = os.environ.get("PHOSPHENE_NO_BROWSER") or "Chromium is not installed"
        text = f"NOT TESTED: the report's page in a browser, {count} tests skipped ({reason})"
        terminalreporter.write_line(text, yellow=True, bold=True)
