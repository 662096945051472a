"""Results as JUnit XML, as CI systems read it: a suite for each file, a case for each test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from remediator.rehearsal.playing import Played
from remediator.rehearsal.telling import moment


def junit_xml(results: Sequence[Played], seconds: Mapping[str, float]) -> bytes:
    """The document. ``seconds``: how long each test took, by its id."""
    root = ElementTree.Element("testsuites", name="remediator test")
    files: dict[str, list[Played]] = {}
    for played in results:
        files.setdefault(played.case.where.path, []).append(played)
    for path, own in files.items():
        failed = sum(not played.passed for played in own)
        took = sum(seconds.get(played.case.id, 0.0) for played in own)
        suite = ElementTree.SubElement(root, "testsuite", name=path, time=f"{took:.3f}")
        for name, count in (("tests", len(own)), ("failures", failed), ("errors", 0), ("skipped", 0)):
            suite.set(name, str(count))
        for played in own:
            _add_case(suite, played, seconds.get(played.case.id, 0.0))
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _add_case(suite: ElementTree.Element, played: Played, took: float) -> None:
    where = played.case.where
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=played.case.name,
        classname=where.path,
        file=where.path,
        line=str(where.line),
        time=f"{took:.3f}",
    )
    for failure in played.failures:
        told = [
            f"{each.key}: expected {each.expected}, seen {each.seen}" + (f": {each.why}" if each.why else "")
            for each in failure.differences
        ]
        element = ElementTree.SubElement(
            case, "failure", type="Expectation", message=f"{moment(failure.at)}: {told[0]}"
        )
        element.text = "\n".join([f"{failure.where}", *told, "", *map(str, failure.story)])
