"""The op of loops, under its old address."""

from theano.compile.profile import ScanProfileStats
from theano.ops.scan import Form, Scan

__all__ = ["Form", "Scan", "ScanProfileStats"]
