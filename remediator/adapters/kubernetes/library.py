"""What we use of kubernetes-asyncio, without what we do not.

Importing any part of the package imports all 700 models and 60 API classes: 0.4 s warm (1.2 s cold) and 38 MB
that a daemon which reads JSON never looks at. What we need are four modules: the HTTP client, its
configuration, and the two configuration loaders; alone they take 0.05 s and 2 MB. They are loaded under
stand-ins for their two parent packages, and nothing of that stays in ``sys.modules``: who imports the library
afterwards gets all of it. Should a later release not load that way, it is imported whole.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = "kubernetes_asyncio"


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """The classes we use. They carry no types."""

    configuration: Any
    rest_client: Any
    kubeconfig_merger: Any
    kubeconfig_loader: Any
    in_cluster_loader: Any


@cache
def load() -> Library:
    """The library's classes. The first call takes the time, so it is made where a cluster is configured."""
    if PACKAGE in sys.modules:
        return _classes()
    try:
        return _load_lightly()
    except (ImportError, AttributeError):
        return _classes()


def _load_lightly() -> Library:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"{PACKAGE} is not installed")
    root = Path(spec.submodule_search_locations[0])
    client = _stand_in(f"{PACKAGE}.client", root / "client")
    sys.modules |= {PACKAGE: _stand_in(PACKAGE, root), client.__name__: client}
    try:
        configuration = importlib.import_module(f"{PACKAGE}.client.configuration")
        # What the loaders import from the client package; the second only names a return type.
        vars(client).update(Configuration=configuration.Configuration, ApiClient=object)
        return _classes()
    finally:
        for name in [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]:
            del sys.modules[name]


def _stand_in(name: str, path: Path) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = [str(path)]
    return module


def _classes() -> Library:
    rest = importlib.import_module(f"{PACKAGE}.client.rest")
    kube = importlib.import_module(f"{PACKAGE}.config.kube_config")
    logging.getLogger(kube.__name__).disabled = True  # its lines quote the kubeconfig, tokens included
    return Library(
        configuration=importlib.import_module(f"{PACKAGE}.client.configuration").Configuration,
        rest_client=rest.RESTClientObject,
        kubeconfig_merger=kube.KubeConfigMerger,
        kubeconfig_loader=kube.KubeConfigLoader,
        in_cluster_loader=importlib.import_module(f"{PACKAGE}.config.incluster_config").InClusterConfigLoader,
    )
