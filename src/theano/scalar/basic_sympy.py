"""The old address of scalar ops made of SymPy's expressions."""

from typing import Any

from theano.ops.scalar_op import ScalarOp

__all__ = ["SymPyCCode"]


class SymPyCCode(ScalarOp):
    """Not here: it put C code of SymPy's into Theano's. The error says what does the same."""

    def __init__(self, inputs: Any, expr: Any, name: str | None = None) -> None:
        raise NotImplementedError(
            "SymPyCCode was C code, which is not used here. An op with the same meaning: give a "
            "subclass of theano.scalar.ScalarOp an `impl` that calls sympy.lambdify(inputs, expr, "
            "'numpy'), and a `grad` made of sympy.diff in the same way; it becomes native code. "
            "sympy.printing.theanocode.theano_code(expr) builds the expression itself."
        )
