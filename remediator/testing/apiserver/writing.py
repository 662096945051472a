"""Create, update, patch and delete: preconditions, dry runs, and the entry in the ledger."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from remediator.testing.apiserver.admission import Admission
from remediator.testing.apiserver.bodies import (
    DeleteOptions,
    Request,
    decode_object,
    parse_object,
)
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers.garbage import FOREGROUND, ORPHAN
from remediator.testing.apiserver.kinds import NAMESPACES, Kind
from remediator.testing.apiserver.ledger import Effect, Ledger
from remediator.testing.apiserver.managers import UPDATE, manager_of, updated
from remediator.testing.apiserver.objects import Json, Key, clone, deleting, key_of
from remediator.testing.apiserver.patching import patched_object
from remediator.testing.apiserver.reading import list_of
from remediator.testing.apiserver.statuses import (
    Cause,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    method_not_allowed,
    modified,
    not_found,
    other_uid,
    qualified,
    success,
)

_PRESERVED = (
    '299 - "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to '
    'remove them or set propagationPolicy=Orphan to suppress this warning"'
)


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Writes to one cluster and keeps its ledger."""

    cluster: Cluster
    ledger: Ledger
    admission: Admission

    def present(self, request: Request, kind: Kind) -> Json:
        """The object the request names, as it is stored. Raises ApiError 404."""
        obj = self.find(request, kind)
        if obj is None:
            raise not_found(kind.base.plural, kind.base.group, request.asked.name)
        return obj

    def find(self, request: Request, kind: Kind) -> Json | None:
        """The object the request names, or None."""
        return self.cluster.store.get(kind, _key(request, kind))

    def create(self, request: Request, kind: Kind) -> Json:
        """Store a new object; as it is stored. Raises ApiError 4xx."""
        dry_run = request.dry_run
        return self.add(
            request, kind, decode_object(request, kind, parse_object(request, kind)), dry_run=dry_run
        )

    def add(self, request: Request, kind: Kind, body: Json, *, dry_run: bool) -> Json:
        """Store a decoded object of the requested kind as a new one. Raises ApiError 4xx."""
        found = kind.validate(body) if kind.stored_as else ()
        kind, manifest = kind.base, kind.inward(body)
        meta = manifest.setdefault("metadata", {})
        namespace = request.asked.namespace if kind.namespaced else ""
        if namespace and meta.setdefault("namespace", namespace) != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        if kind.namespaced and not namespace:
            raise method_not_allowed()
        self._check_namespace(kind, meta)
        if not meta.get("name") and not meta.get("generateName"):
            cause = Cause(field="metadata.name", message="Required value: name or generateName is required")
            raise invalid(kind.name, kind.group, "", [cause])
        obj = self.cluster.prepare_create(kind, manifest)
        self.admission.fill(kind, obj)
        if causes := [*found, *kind.validate(obj)]:
            raise invalid(kind.name, kind.group, obj["metadata"]["name"], causes)
        self.admission.check(request.asked, kind, obj, None)
        if self.cluster.store.get(kind, key_of(obj)) is not None:
            raise already_exists(kind.plural, kind.group, obj["metadata"]["name"])
        return self.store(request, kind, obj, None, dry_run=dry_run, body=manifest)

    def _check_namespace(self, kind: Kind, meta: Json) -> None:
        if not kind.namespaced:
            return
        name = meta["namespace"]
        namespace = self.cluster.store.get(NAMESPACES, ("", name))
        if namespace is None:
            raise not_found("namespaces", "", name)
        if deleting(namespace):
            why = f"unable to create new content in namespace {name} because it is being terminated"
            text = f"namespace {name} is being terminated"
            cause = Cause(field="metadata.namespace", message=text, reason="NamespaceTerminating")
            raise forbidden(kind.plural, kind.group, meta.get("name", ""), why, causes=[cause])

    def update(self, request: Request, kind: Kind) -> Json:
        """Replace an object. Raises ApiError 4xx."""
        dry_run = request.dry_run
        new = decode_object(request, kind, parse_object(request, kind))
        check_names(request, new)
        old = self.find(request, kind)
        if old is None and not kind.create_on_update:
            old = self.present(request, kind)
        present = old["metadata"]["uid"] if old is not None else ""
        uid = new["metadata"].get("uid") or present
        if uid != present:
            raise other_uid(kind.base.plural, kind.base.group, _key(request, kind), uid, present)
        if old is None:
            return self.add(request, kind, new, dry_run=dry_run)
        if not kind.base.unconditional and not new["metadata"].get("resourceVersion"):
            cause = Cause.invalid("metadata.resourceVersion", "0x0", "must be specified for an update")
            raise invalid(kind.base.plural, kind.base.group, request.asked.name, [cause])
        return self.replace(request, kind, kind.inward(new), old, dry_run=dry_run, body=new)

    def patch(self, request: Request, kind: Kind) -> Json:
        """Patch an object. Raises ApiError 4xx."""
        dry_run = request.dry_run
        old = self.present(request, kind)
        new, body = patched_object(request, kind.outward(old), kind.type_name)
        check_names(request, new)
        new, kind = kind.inward(new), kind.base
        if new["metadata"].get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
            cause = Cause.invalid("metadata.uid", f'"{new["metadata"]["uid"]}"', "field is immutable")
            raise invalid(kind.name, kind.group, request.asked.name, [cause, cause])
        return self.replace(request, kind, new, old, dry_run=dry_run, body=body)

    def replace(
        self, request: Request, kind: Kind, new: Json, old: Json, *, dry_run: bool, body: Any
    ) -> Json:
        """Store another state of an object; both in the stored form. Raises ApiError 4xx."""
        kind = kind.base
        version = new["metadata"].get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            raise modified(kind.plural, kind.group, request.asked.name)
        if request.asked.subresource == "status":
            obj = clone({**old, "status": new.get("status", {})})
            kind.defaults(obj)
        else:
            obj = self.cluster.prepare_update(kind, new, old)
            if causes := [*kind.validate(obj), *kind.validate_update(obj, old)]:
                raise invalid(kind.name, kind.group, request.asked.name, causes)
            self.admission.check(request.asked, kind, obj, old)
        return self.store(request, kind, obj, old, dry_run=dry_run, body=body)

    def store(
        self, request: Request, kind: Kind, obj: Json, old: Json | None, *, dry_run: bool, body: Any
    ) -> Json:
        """Let a write take effect, unless it is a dry run, and note it if it changed anything."""
        if not request.is_apply:
            manager = manager_of(request, kind, UPDATE, self.cluster.timestamp())
            obj = updated(obj, old, kind.type_name, manager)
        if dry_run:
            return obj
        stored = self.cluster.store.put(kind, obj)
        if deleting(stored) and not kind.graceful and kind is not NAMESPACES:
            self._finish(kind, stored)
        if old is None or stored["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
            self.note(request, kind, stored, old, body)
        return stored

    def _finish(self, kind: Kind, stored: Json) -> None:
        """The last finalizer of an object that is being deleted is gone, and so is the object."""
        if not stored["metadata"].get("finalizers"):
            self.cluster.store.remove(kind, key_of(stored))

    def note(self, request: Request, kind: Kind, stored: Json, old: Json | None, body: Any) -> None:
        """Write an effect into the ledger."""
        (namespace, name), asked = key_of(stored), request.asked
        before = (old or {}).get("spec", {}).get("template")
        self.ledger.append(
            Effect(
                at=time.monotonic(),
                user=request.user.name,
                verb=asked.verb,
                group=kind.group,
                resource=kind.plural,
                subresource=asked.subresource,
                namespace=namespace,
                name=name,
                body=body,
                resource_version=stored["metadata"]["resourceVersion"],
                generation=stored["metadata"].get("generation"),
                template_changed=before is not None and before != stored.get("spec", {}).get("template"),
            )
        )

    def delete(self, request: Request, kind: Kind) -> Json:
        """Delete the object the request names. Raises ApiError 4xx."""
        options = _options(request, kind)
        answer = self.delete_object(request, kind.base, self.present(request, kind), options)
        return kind.outward(answer) if answer["kind"] == kind.name else answer

    def delete_all(self, request: Request, kind: Kind, found: list[Json]) -> Json:
        """Delete every object of a list; the answer is the list."""
        options = _options(request, kind)
        for obj in found:
            self.delete_object(request, kind.base, obj, options)
        meta = {"resourceVersion": str(self.cluster.store.revision)}
        return list_of(kind, found, meta)

    def delete_object(self, request: Request, kind: Kind, obj: Json, options: DeleteOptions) -> Json:
        """Delete an object, at once or gracefully; the answer. Raises ApiError 409."""
        check_preconditions(kind, obj, options)
        (_, name), uid = key_of(obj), obj["metadata"]["uid"]
        marked = self._marked(kind, obj, options)
        answer = marked or obj
        if not options.dry_run:
            if marked is None:
                if kind.graceful and deleting(obj):
                    self.cluster.store.put(kind, self.cluster.mark_deleting(kind, obj, 0))
                answer = self.cluster.store.remove(kind, key_of(obj)) or obj
                self.note(request, kind, answer, None, None)
                answer = self.cluster.mark_deleting(kind, answer, 0) if kind.graceful else answer
            else:
                answer = self.store(request, kind, marked, obj, dry_run=False, body=None)
        if kind.returns_object or (marked is not None and not kind.graceful):
            return answer
        return success(name, kind.group, kind.plural, uid)

    def _marked(self, kind: Kind, obj: Json, options: DeleteOptions) -> Json | None:
        """The object marked for a deletion that takes time, or None when it is gone at once."""
        if kind is NAMESPACES:
            ending = self.cluster.mark_deleting(kind, obj, 0)
            ending["metadata"].pop("deletionGracePeriodSeconds", None)
            return {**ending, "status": {"phase": "Terminating"}}
        if kind.graceful:
            grace = (
                options.grace if options.grace is not None else obj["spec"]["terminationGracePeriodSeconds"]
            )
            placed = obj["spec"].get("nodeName") and obj["status"].get("phase") not in {"Succeeded", "Failed"}
            if grace and placed:
                return self.cluster.mark_deleting(kind, obj, grace)
            kept = obj["metadata"].get("finalizers")
            return self.cluster.mark_deleting(kind, obj, 0) if kept else None
        finalizer = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(options.propagation)
        if finalizer or obj["metadata"].get("finalizers"):
            return self.cluster.mark_deleting(kind, obj, 0, finalizer=finalizer)
        return None


def _options(request: Request, kind: Kind) -> DeleteOptions:
    try:
        options = DeleteOptions.of(request, default=kind.propagation)
    except (ValueError, TypeError, AttributeError) as error:
        raise bad_request(str(error)) from error
    if options.unsaid and kind.propagation == "Orphan":
        request.warnings.append(_PRESERVED)
    return options


def _key(request: Request, kind: Kind) -> Key:
    return (request.asked.namespace if kind.namespaced else "", request.asked.name)


def check_names(request: Request, obj: Json) -> None:
    """Raises ApiError 400 when the body names another object than the path."""
    meta, asked = obj.setdefault("metadata", {}), request.asked
    name = meta.setdefault("name", asked.name)
    if name != asked.name:
        raise bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({asked.name})"
        )
    if asked.resource != "namespaces" and asked.namespace:
        namespace = meta.setdefault("namespace", asked.namespace)
        if namespace != asked.namespace:
            where = f"the namespace on the URL ({asked.namespace})"
            raise bad_request(f"the namespace of the object ({namespace}) does not match {where}")


def check_preconditions(kind: Kind, obj: Json, options: DeleteOptions) -> None:
    """Raises ApiError 409 when the object is not the one a deletion is meant for."""
    meta = obj["metadata"]
    subject = f'Operation cannot be fulfilled on {qualified(kind.name, kind.group)} "{meta["name"]}"'
    why = ""
    if options.uid is not None and options.uid != meta["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta['uid']}). "
        )
        why += "The object might have been deleted and then recreated"
    elif options.resource_version is not None and options.resource_version != meta["resourceVersion"]:
        why = f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
        why += f"ResourceVersion in record ({meta['resourceVersion']}). The object might have been modified"
    if why:
        error = conflict(kind.name, kind.group, meta["name"], why)
        error.message = f"{subject}: {why}"
        raise error
