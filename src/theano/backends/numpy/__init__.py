"""The NumPy backend: runs any Program, step by step; the second opinion on lowering."""
