"""The graph: Type, Variable, Constant, Apply, Op, their traversal, and FunctionGraph."""
