"""Profiles, under the old address."""

from theano.compile.profile import (
    ProfileStats,
    ScanProfileStats,
    print_global_stats,
)

__all__ = ["ProfileStats", "ScanProfileStats", "print_global_stats"]
