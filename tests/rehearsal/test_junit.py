"""JUnit XML, as CI systems read it."""

from __future__ import annotations

from xml.etree import ElementTree

from remediator.rehearsal.junit import junit_xml
from tests.rehearsal.scenes import one

WEB = "- {at: 0s, fire: {alertname: WebDown}}"


def test_a_suite_for_each_file_and_a_case_for_each_test() -> None:
    """A failure carries what was expected, what was seen, and the story."""
    played = [one(WEB, "- {at: 1s, severity: SEV-2}"), one(WEB, "- {at: 1s, severity: SEV-1}")]
    root = ElementTree.fromstring(junit_xml(played, {played[0].case.id: 0.25}))
    (suite,) = root.iter("testsuite")
    assert suite.attrib["name"] == "web_test.yaml"
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["errors"]) == ("2", "1", "0")
    good, bad = suite.iter("testcase")
    assert (good.attrib["name"], good.attrib["line"], list(good)) == ("a test", "2", [])
    failure = bad.find("failure")
    assert failure is not None
    assert failure.attrib["message"].startswith(
        "T+1s: severity: expected SEV-1, seen SEV-2: rule web-down won"
    )
    assert "T+0s       WebDown fires" in (failure.text or "")
