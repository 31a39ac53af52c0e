"""``theano.sandbox``: what was experimental once."""
