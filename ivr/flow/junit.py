"""Scenarios as JUnit XML, which CI systems show as tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from ivr.flow.scenario_player import Failed

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Case:
    """One scenario; `took_s` on the wall clock; `skipped` says why it was not played, or is empty."""

    name: str
    line: int
    took_s: float
    failure: Failed | None
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """The scenarios of one file; `error` says why they could not be played, or is empty."""

    path: Path
    flow: str
    cases: Sequence[Case] = ()
    error: str = ""


def junit(suites: Iterable[Suite]) -> bytes:
    """The document, in UTF-8."""
    root = ET.Element("testsuites", name="ivr test")
    listed = list(suites)
    for suite in listed:
        _add(root, suite)
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(element.get(count, "0")) for element in root)))
    root.set("time", _seconds(sum(case.took_s for suite in listed for case in suite.cases)))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _add(root: ET.Element, suite: Suite) -> None:
    failures = sum(case.failure is not None for case in suite.cases)
    element = ET.SubElement(
        root,
        "testsuite",
        name=_clean(suite.flow),
        tests=str(len(suite.cases) + bool(suite.error)),
        failures=str(failures),
        errors=str(int(bool(suite.error))),
        skipped=str(sum(bool(case.skipped) for case in suite.cases)),
        time=_seconds(sum(case.took_s for case in suite.cases)),
    )
    for case in suite.cases:
        test = _test(element, suite, case.name, case.line, case.took_s)
        if case.failure is not None:
            failure = ET.SubElement(test, "failure", message=_clean(case.failure.message), type="scenario")
            where = f"{suite.path}:{case.failure.line}"
            failure.text = _clean("\n".join((where, case.failure.message, *case.failure.details)))
        elif case.skipped:
            ET.SubElement(test, "skipped", message=_clean(case.skipped))
    if suite.error:
        test = _test(element, suite, "the file can be used", 1, 0.0)
        error = ET.SubElement(test, "error", message=_clean(suite.error.splitlines()[0]), type="check")
        error.text = _clean(suite.error)


def _test(suite: ET.Element, of: Suite, name: str, line: int, took_s: float) -> ET.Element:
    return ET.SubElement(
        suite,
        "testcase",
        classname=_clean(of.flow),
        name=_clean(name),
        file=_clean(str(of.path)),
        line=str(line),
        time=_seconds(took_s),
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.6f}"


def _clean(text: str) -> str:
    """XML has no place for control characters."""
    return _NOT_XML.sub("\ufffd", text)
