"""``scan``, under its old address."""

from theano.scan_module.building import scan

__all__ = ["scan"]
