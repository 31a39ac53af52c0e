"""Lowering: graph to Program (groups, kernels, memory plan)."""
