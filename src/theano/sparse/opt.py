"""Where rewrites of sparse expressions were; they are rules of ``theano.rewrite.sparse`` now."""

from theano.rewrite.sparse import local_csm_properties_csm

__all__ = ["local_csm_properties_csm"]
