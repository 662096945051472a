"""The patch formats, where the recordings do not reach."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.patches import json_patch, merge_patch, strategic_merge
from remediator.testing.apiserver.schema import compact
from remediator.testing.apiserver.selectors import of_object, parse_labels
from remediator.testing.apiserver.statuses import ApiError


@pytest.mark.parametrize(
    ("patch", "after"),
    [
        ([{"op": "add", "path": "/list/0", "value": 9}], {"list": [9, 1, 2], "map": {"a/b": 1}}),
        ([{"op": "add", "path": "/list/-", "value": 9}], {"list": [1, 2, 9], "map": {"a/b": 1}}),
        ([{"op": "remove", "path": "/list/1"}], {"list": [1], "map": {"a/b": 1}}),
        ([{"op": "replace", "path": "/map/a~1b", "value": 2}], {"list": [1, 2], "map": {"a/b": 2}}),
        ([{"op": "move", "from": "/map/a~1b", "path": "/list/0"}], {"list": [1, 1, 2], "map": {}}),
        (
            [{"op": "copy", "from": "/list", "path": "/map/c"}],
            {"list": [1, 2], "map": {"a/b": 1, "c": [1, 2]}},
        ),
        ([{"op": "test", "path": "/absent", "value": None}], {"list": [1, 2], "map": {"a/b": 1}}),
    ],
)
def test_json_patch(patch: list[Json], after: Json) -> None:
    before = {"list": [1, 2], "map": {"a/b": 1}}
    assert json_patch(before, patch) == after
    assert before == {"list": [1, 2], "map": {"a/b": 1}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/absent/child", "value": 1},
        {"op": "add", "path": "/list/7", "value": 1},
        {"op": "replace", "path": "/absent", "value": 1},
        {"op": "remove", "path": "/list/2"},
        {"op": "test", "path": "/flag", "value": 1},
        {"op": "test", "path": "/list", "value": [1]},
        {"op": "add", "path": "no-slash", "value": 1},
        {"path": "/list"},
    ],
)
def test_a_json_patch_that_cannot_be_applied_is_422(operation: Json) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch({"list": [1, 2], "flag": True}, [operation])
    assert caught.value.code == 422


def test_a_merge_patch_removes_with_null_and_replaces_lists() -> None:
    before = {"keep": 1, "drop": 2, "map": {"a": 1, "b": 2}, "list": [1, 2]}
    patch = {"drop": None, "map": {"a": None, "c": {"d": None}}, "list": [3]}
    assert merge_patch(before, patch) == {"keep": 1, "map": {"b": 2, "c": {}}, "list": [3]}


def pod(**spec: Any) -> Json:
    """A pod with this spec."""
    return {"spec": spec}


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        (
            pod(containers=[{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]),
            pod(containers=[{"name": "b", "image": "b:2"}, {"name": "c", "image": "c:1"}]),
            pod(
                containers=[
                    {"name": "a", "image": "a:1"},
                    {"name": "b", "image": "b:2"},
                    {"name": "c", "image": "c:1"},
                ]
            ),
        ),
        (
            pod(volumes=[{"name": "v", "emptyDir": {}}]),
            pod(volumes=[{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "m"}}]),
            pod(volumes=[{"name": "v", "configMap": {"name": "m"}}]),
        ),
        (
            pod(containers=[{"name": "a"}, {"name": "b"}]),
            pod(containers=[{"name": "a", "$patch": "delete"}]),
            pod(containers=[{"name": "b"}]),
        ),
        (
            pod(containers=[{"name": "a"}]),
            pod(containers=[{"$patch": "replace"}, {"name": "z"}]),
            pod(containers=[{"name": "z"}]),
        ),
        (pod(nodeSelector={"a": "1", "b": "2"}), pod(nodeSelector={"a": None}), pod(nodeSelector={"b": "2"})),
        (
            pod(tolerations=[{"key": "a"}]),
            pod(tolerations=[{"key": "b"}]),
            pod(tolerations=[{"key": "b"}]),
        ),
        (
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}},
            {"metadata": {"finalizers": ["b", "c"]}},
        ),
        (
            pod(containers=[{"name": "a"}, {"name": "b"}]),
            pod(
                **{
                    "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
                    "containers": [{"name": "a"}],
                }
            ),
            pod(containers=[{"name": "b"}, {"name": "a"}]),
        ),
    ],
)
def test_strategic_merge(before: Json, patch: Json, after: Json) -> None:
    assert strategic_merge(before, patch, "Pod") == after


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ("app=web", {"app": "web"}, True),
        ("app==web,tier!=back", {"app": "web"}, True),
        ("app in (web,api)", {"app": "db"}, False),
        ("app notin (web)", {}, True),
        ("app", {"app": ""}, True),
        ("!app", {"app": ""}, False),
        ("app=", {"app": ""}, True),
        ("", {"app": "web"}, True),
    ],
)
def test_label_selectors(selector: str, labels: dict[str, str], matches: bool) -> None:
    assert parse_labels(selector).matches(labels) == matches


def test_the_selector_of_a_workload() -> None:
    expressions = [
        {"key": "tier", "operator": "In", "values": ["front", "edge"]},
        {"key": "old", "operator": "DoesNotExist"},
    ]
    selector = of_object({"matchLabels": {"app": "web"}, "matchExpressions": expressions})
    assert selector.matches({"app": "web", "tier": "edge"})
    assert not selector.matches({"app": "web", "tier": "back"})
    assert not selector.matches({"app": "web", "tier": "edge", "old": ""})


def test_the_schema_is_made_from_an_openapi_document(monkeypatch: pytest.MonkeyPatch) -> None:
    merge = {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name"}
    reference = {"$ref": "#/definitions/x.Part"}
    properties = {
        "parts": {"type": "array", "items": reference, **merge},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "count": {"type": "integer", "format": "int64"},
        "size": {"$ref": "#/definitions/x.Quantity"},
    }
    part = {"properties": {"strategy": {**reference, "x-kubernetes-patch-strategy": "retainKeys"}}}
    monkeypatch.setattr("remediator.testing.apiserver.schema.ROOTS", ("x.Whole",))
    assert compact({"definitions": {"x.Whole": {"properties": properties}, "x.Part": part}}) == {
        "Part": {"strategy": "@Part retainKeys"},
        "Whole": {"parts": "[@Part] merge=name", "labels": "{string}", "count": "int64", "size": "any"},
    }
