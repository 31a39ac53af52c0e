"""``theano.version``."""

from theano import __version__ as version

full_version = short_version = version

__all__ = ["full_version", "short_version", "version"]
