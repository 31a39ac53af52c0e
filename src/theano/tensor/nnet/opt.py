"""Where rewrites of neural-network functions were. They run by themselves; nothing is registered
here. See ``theano.rewrite.nn``."""

__all__: list[str] = []
