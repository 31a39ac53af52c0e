"""Softmax, cross-entropies, rectifiers."""
