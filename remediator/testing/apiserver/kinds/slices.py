"""EndpointSlices."""

from __future__ import annotations

from remediator.testing.apiserver.kinds.base import Kind

ENDPOINT_SLICES = Kind(
    name="EndpointSlice",
    plural="endpointslices",
    singular="endpointslice",
    group="discovery.k8s.io",
    spec_generation=True,
    status_subresource=False,
)
