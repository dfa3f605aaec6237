"""SARIF for CI: held to what the standard requires of a result file."""

import io
import json
from pathlib import Path

import jsonschema
import pytest

from ivr.flow.check_command import run
from ivr.flow.problems import Problem, Rule
from ivr.flow.sarif import sarif

BAD = Path(__file__).parent.parent / "flows" / "bad"

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
ESSENTIALS = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "$schema": {"type": "string", "format": "uri"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "required": ["id"],
                                            "properties": {"shortDescription": TEXT},
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "required": ["message"],
                            "properties": {
                                "message": TEXT,
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "locations": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation"],
                                                "properties": {
                                                    "region": {
                                                        "properties": {
                                                            "startLine": {"type": "integer", "minimum": 1},
                                                            "startColumn": {"type": "integer", "minimum": 1},
                                                        }
                                                    }
                                                },
                                            }
                                        }
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def many():
    out = io.StringIO()
    assert run([BAD / "many_at_once.yaml"], format="sarif", out=out) == 1
    return json.loads(out.getvalue())


def test_the_essentials_of_the_standard(many):
    jsonschema.validate(many, ESSENTIALS)
    assert many["runs"][0]["tool"]["driver"]["version"]


def test_a_result_points_to_its_rule_and_its_place(many):
    run_ = many["runs"][0]
    rules = run_["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [f"rule{int(rule)}" for rule in Rule]
    listed = io.StringIO()
    run([BAD / "many_at_once.yaml"], format="json", out=listed)
    problems = json.loads(listed.getvalue())["problems"]
    assert len(run_["results"]) == len(problems) >= 20
    for result, problem in zip(run_["results"], problems, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == f"rule{problem['rule']}"
        assert result["message"]["text"].startswith(problem["message"])
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"] == {"uri": (BAD / "many_at_once.yaml").as_uri()}
        assert place["region"] == {"startLine": problem["line"], "startColumn": problem["column"]}


def test_a_relative_file_is_counted_from_the_root():
    document = sarif([Problem("flows/मेनू 1.yaml", 2, 3, 9, "wrong", "write it right")], "1")
    result = document["runs"][0]["results"][0]
    location = result["locations"][0]["physicalLocation"]["artifactLocation"]
    uri = "flows/%E0%A4%AE%E0%A5%87%E0%A4%A8%E0%A5%82%201.yaml"
    assert location == {"uri": uri, "uriBaseId": "%SRCROOT%"}
    assert result["message"] == {"text": "wrong (write it right)"}


def test_nothing_wrong_is_a_run_without_results():
    document = sarif([], "1")
    jsonschema.validate(document, ESSENTIALS)
    assert document["runs"][0]["results"] == []
