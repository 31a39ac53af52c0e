"""Differentiation: graph to graph. Reverse and forward mode, Jacobians, numerical checks."""
