"""The parts of ``theano.printing``: formulas, descriptions, pictures."""
