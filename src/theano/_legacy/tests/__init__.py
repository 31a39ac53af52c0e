"""``theano.tests``: what scripts import from it."""
