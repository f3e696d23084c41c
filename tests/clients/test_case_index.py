"""`cases.toml` names tests that are there, for every case."""

import re
import tomllib
from pathlib import Path

import pytest

from gateway import ROOT

CASES = tomllib.loads((Path(__file__).parent / "cases.toml").read_text())
# A report's tracker and number in the name of a test, or in a comment beside it.
MADE_FOR = r"def (test_[a-z0-9_]*?_[0-9]{2,}_[a-z0-9_]+)\("


def test_no_case_is_lost():
    """61 of S3 (sections A to I) and 34 of key services; three attacks have no report of their own."""
    assert len(CASES) == 61 + 34 + 3


@pytest.mark.parametrize("case", CASES)
def test_the_tests_of_a_case_are_there(case):
    entry = CASES[case]
    assert set(entry) <= {"tests", "pending", "none"} and not {"pending", "none"} <= set(entry)
    assert entry.get("tests") or entry.get("pending") or entry.get("none")
    for place in entry.get("tests", []):
        file, _, name = place.partition("::")
        keyword = "def" if file.endswith(".py") else "fn"
        assert re.search(rf"\b{keyword} {re.escape(name)}\(", (ROOT / file).read_text()), place


def test_every_test_that_is_named_after_a_report_is_listed():
    listed = {place.partition("::")[2] for entry in CASES.values() for place in entry.get("tests", [])}
    found = set()
    for file in sorted(Path(__file__).parent.glob("test_cases*.py")):
        found |= set(re.findall(MADE_FOR, file.read_text()))
    assert len(found) > 50 and found <= listed, sorted(found - listed)
