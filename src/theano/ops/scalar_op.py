"""ScalarOp: an op on numbers that users write, and the row that makes it elementwise.

``impl`` is Python code on numbers. It is run on values that record what is done with them (see
``scalar_trace``): if that works, the op is native and fuses like any other; if it does not
(``math.exp``, a loop until a value is small), the op runs ``impl`` for each element and says why.
An op may write its kernel code itself, in ``body(k, *values)``; ``c_code`` methods are ignored.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core.errors import MethodNotDefined
from theano.graph.nodes import Apply
from theano.ops.base import TensorOp
from theano.ops.elemwise import Elemwise
from theano.ops.scalar import ScalarRow
from theano.ops.scalar_rows import row_of, rows
from theano.ops.scalar_types import Scalar, as_scalar, scalar_from_tensor, tensor_from_scalar

# What the base class keeps in an op's __dict__.
_NO_PARAMETERS = frozenset(
    ("name", "nfunc_spec", "output_types_preference", "_own", "_problems", "_branches")
)


def _hashable(value: Any) -> Any:
    """``value``, or its identity if it has no hash."""
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


class ScalarOp(TensorOp):
    """An op on numbers: a class for users to extend, and to wrap in ``Elemwise``.

    A subclass defines

    ``impl(self, *inputs)``
        The result on numbers, in Python. Inputs have the output's dtype if that is a float, else
        the dtype that holds them all.
    ``grad(self, inputs, output_grads)`` or ``L_op(self, inputs, outputs, output_grads)``
        Gradients, built from scalar variables with their operators and ``theano.scalar``'s ops (or
        elementwise functions of ``theano.tensor``).
    ``body(self, k, *values)``
        Optional: the same as ``impl`` in kernel code, where ``impl`` cannot be traced. ``k`` has
        the primitives as methods (``k.exp(x)``, ``k.select(k.lt(x, 0.0), a, b)``), values have
        operators.
    ``nfunc_spec``
        Optional: ``("scipy.special.i0e", 1, 1)``, a function of NumPy or SciPy that computes the
        same on arrays; used where the op is not native.
    ``output_types(self, types)``
        Optional: the types of the outputs, in place of ``output_types_preference``.

    Parameters
    ----------
    output_types_preference : from input types to output types, such as ``upgrade_to_float``.
    name : what the op prints as; default the class's name.

    >>> import theano, theano.tensor as T
    >>> from theano.scalar import UnaryScalarOp, upgrade_to_float
    >>> class Cube(UnaryScalarOp):
    ...     def impl(self, x):
    ...         return x * x * x
    ...     def grad(self, inputs, output_grads):
    ...         return [3 * inputs[0] * inputs[0] * output_grads[0]]
    >>> cube = T.Elemwise(Cube(upgrade_to_float, name="cube"))
    >>> x = T.dvector("x")
    >>> theano.function([x], theano.grad(cube(x).sum(), x))([1.0, 2.0])
    array([ 3., 12.])
    """

    __props__: ClassVar[tuple[str, ...] | None] = ("output_types_preference",)
    _abstract = True  # defines no code: see scalar_rows
    lowering = "expand"
    nin: int = -1
    nout: int = 1
    output_types_preference: Any = None
    name: str | None = None
    nfunc_spec: tuple[str, int, int] | None = None
    commutative: bool = False
    associative: bool = False
    cost: str = "heavy"
    disconnected: tuple[int, ...] = ()

    def __init__(self, output_types_preference: Any = None, name: str | None = None) -> None:
        if output_types_preference is not None:
            if not callable(output_types_preference):
                raise TypeError(
                    f"output_types_preference of {type(self).__name__} is a function from input "
                    f"types to output types, not {output_types_preference!r}"
                )
            self.output_types_preference = output_types_preference
        self.name = name

    # the op on scalar variables ------------------------------------------------------------------

    def make_node(self, *inputs: Any) -> Apply:
        """Convert the inputs to scalars; TypeError where their number or types do not fit."""
        if self.nin >= 0 and len(inputs) != self.nin:
            raise TypeError(f"Wrong number of inputs for {self}: {len(inputs)}, not {self.nin}")
        variables = [as_scalar(x) for x in inputs]
        kinds = self.output_types([x.type for x in variables])
        return Apply(self, variables, [kind() for kind in kinds])

    def output_types(self, types: Sequence[Scalar]) -> Sequence[Scalar]:
        """The types of the outputs on inputs of these types."""
        if self.output_types_preference is None:
            raise NotImplementedError(
                f"Cannot calculate the output types of {self}: give the class an "
                "output_types_preference (theano.scalar.upgrade_to_float), or define output_types"
            )
        # An attribute of the class that is a plain function would be bound as a method.
        rule = getattr(self.output_types_preference, "__func__", self.output_types_preference)
        kinds = rule(*types)
        if not isinstance(kinds, (tuple, list)) or not all(isinstance(k, Scalar) for k in kinds):
            raise TypeError(f"the output types of {self} are not Scalar types: {kinds!r}")
        return list(kinds)

    def impl(self, *inputs: Any) -> Any:
        """The result on numbers."""
        raise MethodNotDefined(f"{type(self).__name__} defines no impl(self, *inputs)")

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """``impl`` on the inputs."""
        if self.nout == 1:
            row, out = self.as_row(), node.outputs[0]
            output_storage[0][0] = row.evaluate([np.asarray(x) for x in inputs], out.type.dtype)
            return
        results = self.impl(*(np.asarray(x)[()] for x in inputs))
        for cell, result, output in zip(output_storage, results, node.outputs, strict=True):
            cell[0] = np.asarray(result, dtype=output.type.dtype)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Numbers have no extents."""
        return [()] * len(node.outputs)

    def expand(self, node: Apply) -> list[Any]:
        """The same on 0-d tensors."""
        made = self.on_tensors([tensor_from_scalar(x) for x in node.inputs])
        return [scalar_from_tensor(result) for result in made]

    def on_tensors(self, inputs: Sequence[Any]) -> list[Any]:
        """The op applied to each element of tensors."""
        made = Elemwise(self)(*inputs)
        return list(made) if self.nout > 1 else [made]

    # the op on arrays ---------------------------------------------------------------------------

    def as_row(self) -> ScalarRow:
        """The row that makes this op elementwise; equal ops have the same."""
        if self.nout != 1:
            raise NotImplementedError(f"{self} has {self.nout} outputs, and a row has one")
        row = rows.get(self)
        if row is None:
            row = rows[self] = row_of(self)
        return row

    def with_nfunc(self, spec: tuple[str, int, int]) -> ScalarOp:
        """The op with another ``nfunc_spec``."""
        if self.nfunc_spec == spec:
            return self
        other = copy.copy(self)
        other.nfunc_spec = spec
        other.__dict__.pop("_problems", None)
        return other

    def _props(self) -> tuple[Any, ...] | None:
        props = super()._props()
        if props is None:
            return None
        if type(self).__props__ is not ScalarOp.__props__:
            return (*props, self.nfunc_spec)
        # A class that does not say what its parameters are: all that its __init__ stored.
        stored = sorted(self.__dict__.keys() - _NO_PARAMETERS)
        values = (_hashable(self.__dict__[key]) for key in stored)
        return (*props, self.nfunc_spec, *stored, *values)

    def __str__(self) -> str:
        return self.name or type(self).__name__

    @property
    def arity(self) -> int | None:
        """Number of inputs, None for any number."""
        return None if self.nin < 0 else self.nin


class UnaryScalarOp(ScalarOp):
    """A scalar op of one number."""

    nin = 1


class BinaryScalarOp(ScalarOp):
    """A scalar op of two numbers."""

    nin = 2
