"""Collects what the soak measured, and prints it as the table of docs/reliability.md."""

import pytest

ROWS = []


@pytest.fixture
def report():
    """report(what was tried, how often, what was lost, what was measured)."""
    return lambda *cells: ROWS.append(cells)


def pytest_terminal_summary(terminalreporter):
    if ROWS:
        terminalreporter.write_line("\n| tried | how often | lost | measured |\n|---|---|---|---|")
        for cells in ROWS:
            terminalreporter.write_line("| " + " | ".join(map(str, cells)) + " |")
