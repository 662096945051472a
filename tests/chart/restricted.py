"""The restricted profile of the Pod Security Standards, as code of our own.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ (baseline and restricted, of
v1.32), control by control. Beyond it, we ask for a root file system that cannot be written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_VOLUMES = frozenset((
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected",
    "secret",
))  # fmt: skip
_SYSCTLS = frozenset((
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
))  # fmt: skip
_SECCOMP = ("RuntimeDefault", "Localhost")
_APPARMOR = ("RuntimeDefault", "Localhost")
_SELINUX = ("container_t", "container_init_t", "container_kvm_t", "container_engine_t", "")
_Spec = Mapping[str, Any]


def violations(spec: _Spec) -> Iterator[str]:
    """Every control that a pod's spec breaks, and where."""
    pod = spec.get("securityContext", {})
    yield from _of_pod(spec, pod)
    for where in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(where, ()):
            own = container.get("securityContext", {})
            found = [*_privileges(own), *_ports(container), *_identity(own, pod), *_profiles(own, pod)]
            yield from (f"{container['name']}: {text}" for text in found)


def _of_pod(spec: _Spec, pod: _Spec) -> Iterator[str]:
    yield from (f"{name} is shared" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name))
    for volume in spec.get("volumes", ()):
        kinds = set(volume) - {"name"}
        if not kinds <= _VOLUMES:
            yield f"volume {volume['name']} is of kind {', '.join(sorted(kinds))}"
    for each in pod.get("sysctls", ()):
        if each["name"] not in _SYSCTLS:
            yield f"sysctl {each['name']}"
    yield from _contexts(pod)


def _privileges(own: _Spec) -> Iterator[str]:
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()):
        yield "capabilities are not dropped"
    if more := set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield f"capabilities {', '.join(sorted(more))} are added"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "the root file system can be written"
    yield from _contexts(own)


def _contexts(context: _Spec) -> Iterator[str]:
    """What neither a pod nor a container may ask for."""
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield "hostProcess"
    if context.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in _APPARMOR:
        yield "AppArmor is unconfined"
    linux = context.get("seLinuxOptions", {})
    if linux.get("type", "") not in _SELINUX or linux.get("user") or linux.get("role"):
        yield "SELinux options"
    if context.get("runAsUser") == 0:
        yield "runAsUser is root"
    if context.get("seccompProfile", {}).get("type", "RuntimeDefault") not in _SECCOMP:
        yield "seccomp is unconfined"


def _ports(container: _Spec) -> Iterator[str]:
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield "hostPort"
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        for how in ("httpGet", "tcpSocket"):
            if container.get(probe, {}).get(how, {}).get("host"):
                yield f"{probe} names a host"


def _identity(own: _Spec, pod: _Spec) -> Iterator[str]:
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot is not true"


def _profiles(own: _Spec, pod: _Spec) -> Iterator[str]:
    if own.get("seccompProfile", pod.get("seccompProfile", {})).get("type") not in _SECCOMP:
        yield "no seccomp profile"
