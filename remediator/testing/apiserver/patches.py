"""The three patch formats: json-patch (RFC 6902), merge-patch (RFC 7386), strategic merge.

The json-patch follows evanphx/json-patch v4, which the API server uses: a ``test`` of a missing path against
null succeeds, ``remove`` of a missing path fails, ``add`` needs its parent. Strategic merge follows
``k8s.io/apimachinery/pkg/util/strategicpatch``: lists with a merge key are merged by it, ``$patch`` replaces
or deletes, ``$setElementOrder`` (for lists of objects), ``$deleteFromPrimitiveList`` and ``$retainKeys`` are
obeyed.
"""

from __future__ import annotations

from typing import Any

from remediator.testing.apiserver.objects import Json, clone
from remediator.testing.apiserver.schema import Field, fields_of
from remediator.testing.apiserver.statuses import ApiError, bad_request, rejected_patch

_MISSING = object()


def json_patch(document: Json, patch: object) -> Json:
    """The document after the operations. Raises ApiError 400 for no list, 422 for what cannot be done."""
    if not isinstance(patch, list):
        raise _undecodable(patch, "[]handlers.jsonPatchOp")
    root: dict[str, Any] = {"": clone(document)}
    for operation in patch:
        if not isinstance(operation, dict):
            raise rejected_patch()
        try:
            _apply(root, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise rejected_patch() from error
    result: Json = root[""]
    return result


def _apply(root: dict[str, Any], operation: Json) -> None:
    path = operation["path"]
    match operation["op"]:
        case "add":
            _put(root, path, clone_any(operation["value"]), replace=False)
        case "replace":
            _read(root, path)
            _put(root, path, clone_any(operation["value"]), replace=True)
        case "remove":
            _take(root, path)
        case "move":
            _put(root, path, _take(root, operation["from"]), replace=False)
        case "copy":
            _put(root, path, clone_any(_read(root, operation["from"])), replace=False)
        case "test":
            if not _same(_read_or_null(root, path), operation.get("value")):
                raise ValueError(path)
        case other:
            raise ValueError(other)


def clone_any(value: Any) -> Any:
    """An independent copy of any JSON value."""
    return clone({"value": value})["value"]


def _same(left: object, right: object) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _tokens(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise ValueError(path)
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")]


def _read(root: Any, path: str) -> Any:
    here = root
    for token in _tokens(path):
        here = here[_index(here, token)] if isinstance(here, list) else here[token]
    return here


def _read_or_null(root: Any, path: str) -> Any:
    try:
        return _read(root, path)
    except (KeyError, IndexError):
        return None


def _index(items: list[Any], token: str) -> int:
    index = int(token)
    if not -len(items) <= index < len(items):
        raise IndexError(token)
    return index


def _parent(root: Any, path: str) -> tuple[Any, str]:
    tokens = _tokens(path)
    if len(tokens) == 1:
        return root, ""
    parent, last = path.rsplit("/", 1)
    return _read(root, parent), last.replace("~1", "/").replace("~0", "~")


def _put(root: Any, path: str, value: Any, *, replace: bool) -> None:
    parent, last = _parent(root, path)
    if not isinstance(parent, list):
        parent[last] = value
    elif replace:
        parent[_index(parent, last)] = value
    elif last == "-":
        parent.append(value)
    elif 0 <= int(last) <= len(parent):
        parent.insert(int(last), value)
    else:
        raise IndexError(last)


def _take(root: Any, path: str) -> Any:
    parent, last = _parent(root, path)
    return parent.pop(_index(parent, last)) if isinstance(parent, list) else parent.pop(last)


def merge_patch(document: Json, patch: object) -> Json:
    """The document with the patch laid over it; null removes. Raises ApiError 400 for no object."""
    if not isinstance(patch, dict):
        raise _undecodable(patch, "map[string]interface {}")
    merged: Json = _merge(clone(document), patch)
    return merged


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return clone_any(patch)
    result = target if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    return result


def _undecodable(patch: object, wanted: str) -> ApiError:
    names = {list: "array", dict: "object", str: "string", bool: "bool", type(None): "null"}
    found = names.get(type(patch), "number")
    return bad_request(f"error decoding patch: json: cannot unmarshal {found} into Go value of type {wanted}")


def strategic_merge(document: Json, patch: object, type_name: str) -> Json:
    """The document merged with the patch by the rules of its type. Raises ApiError 400 for no object."""
    if not isinstance(patch, dict):
        raise _undecodable(patch, "map[string]interface {}")
    return _strategic(clone(document), patch, type_name)


def _strategic(target: Json, patch: Json, type_name: str | None) -> Json:
    directive = patch.get("$patch")
    if directive in {"replace", "delete"}:
        return {key: clone_any(value) for key, value in patch.items() if key != "$patch"}
    if retained := patch.get("$retainKeys"):
        target = {key: value for key, value in target.items() if key in retained}
    known = fields_of(type_name)
    for key, value in patch.items():
        if key.startswith("$"):
            _primitive_deletion(target, key, value)
            continue
        field = known.get(key) if known is not None else None
        merged = _strategic_value(
            target.get(key, _MISSING), value, field, patch.get(f"$setElementOrder/{key}")
        )
        if merged is None:
            target.pop(key, None)
        else:
            target[key] = merged
    return target


def _primitive_deletion(target: Json, key: str, value: Any) -> None:
    prefix, _, name = key.partition("/")
    if prefix == "$deleteFromPrimitiveList" and isinstance(target.get(name), list):
        target[name] = [item for item in target[name] if item not in value]


def _strategic_value(old: Any, new: Any, field: Field | None, order: list[Any] | None) -> Any:
    if isinstance(new, dict):
        is_object = field is not None and not field.is_map and not field.is_list
        inner = field.object if field is not None and is_object else None
        return _strategic(old if isinstance(old, dict) else {}, new, inner)
    if isinstance(new, list) and field is not None and field.is_list:
        present = old if isinstance(old, list) else []
        if field.merge_key:
            return _merge_by_key(present, new, field.merge_key, field.object, order)
        if field.merge:
            return [*present, *(item for item in new if item not in present)]
    return clone_any(new)


def _merge_by_key(
    old: list[Any], new: list[Any], key: str, inner: str | None, order: list[Any] | None
) -> list[Any]:
    if any(entry.get("$patch") == "replace" and key not in entry for entry in new):
        return [clone_any(entry) for entry in new if "$patch" not in entry]
    result = list(old)
    for entry in new:
        name = entry.get(key)
        if name is None:
            raise bad_request(f"map: {entry} does not contain declared merge key: {key}")
        at = next((index for index, item in enumerate(result) if item.get(key) == name), None)
        if entry.get("$patch") == "delete":
            result = [item for item in result if item.get(key) != name]
        elif at is None:
            result.append(_strategic({}, entry, inner))
        else:
            result[at] = _strategic(result[at], entry, inner)
    if order:
        wanted = [entry.get(key) for entry in order]
        result.sort(key=lambda item: wanted.index(item[key]) if item.get(key) in wanted else len(wanted))
    return result
