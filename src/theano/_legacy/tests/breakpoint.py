"""``theano.tests.breakpoint``."""

from theano.ops.breakpoint import PdbBreakpoint

__all__ = ["PdbBreakpoint"]
