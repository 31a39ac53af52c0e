"""Every op, one place each: type rule, shape rule, lowering, gradient, NumPy reference."""
