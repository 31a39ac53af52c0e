"""Batching: a graph for one example turned into a graph for many, by a rule per op."""
