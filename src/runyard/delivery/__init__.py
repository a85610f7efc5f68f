"""Handing a model over: the model package, the container image, the bundle for a site without network."""

from runyard.delivery.package import PackageOrder, Packed, make_package

__all__ = ["PackageOrder", "Packed", "make_package"]
