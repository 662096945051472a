"""Test files as JSON schema, for editors: generated from the models that they are read by."""

from __future__ import annotations

from remediator.policy.describe import REFERENCE, Schema, describe
from remediator.policy.json_schema import DIALECT, published
from remediator.rehearsal.examples import TEST_EXAMPLES, TESTS_TEXT
from remediator.rehearsal.language import TestWords

TEST = "test"


def described_test() -> Schema:
    """One test: every key with its type, default, meaning and example."""
    return describe({TEST: TestWords}, TEST_EXAMPLES)[TEST]


def schema_of_tests() -> Schema:
    """The schema of a test file."""
    return {
        "$schema": DIALECT,
        "description": "A test file of remediator: the tests of the policies beside it.",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            "tests": {"description": TESTS_TEXT, "type": "array", "items": {"$ref": REFERENCE + TEST}}
        },
        "definitions": {TEST: published(described_test())},
    }
