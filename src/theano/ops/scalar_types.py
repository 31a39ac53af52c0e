"""Scalar: the type of one number of a dtype; its variables, constants and conversions.

The values are 0-d arrays, so that graphs of scalars compile like any other graph.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from theano.core import dtypes
from theano.core.config import config
from theano.graph import registry
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp
from theano.ops.basic import literal_array
from theano.ops.extents import SHARES_INPUT

# Operator symbols (the methods' names without underscores) to names of scalar ops.
_BINARY: Final = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "true_div", "floordiv": "int_div",
    "mod": "mod", "pow": "pow", "and": "and_", "or": "or_", "xor": "xor",
    "lshift": "left_shift", "rshift": "right_shift",
}  # fmt: skip
_COMPARE: Final = {"lt": "lt", "le": "le", "gt": "gt", "ge": "ge"}
_UNARY: Final = {
    "neg": "neg", "abs": "abs_", "invert": "invert", "ceil": "ceil", "floor": "floor",
    "trunc": "trunc",
}  # fmt: skip


class Scalar(TensorType):
    """One number of dtype ``dtype`` (``"floatX"``: what the flag says now).

    Calling it makes a variable: ``float64("x")``. Raises TypeError for what is no dtype.

    >>> (Scalar("float32")("x") + 1).type
    Scalar(float32)
    """

    def __init__(self, dtype: str, name: str | None = None) -> None:
        super().__init__(dtype, shape=(), name=name)

    def make_variable(self, name: str | None = None) -> ScalarVariable:  # type: ignore[override]
        """A new variable of this type."""
        return ScalarVariable(self, name=name)

    def constant(self, value: Any, name: str | None = None) -> ScalarConstant:  # type: ignore[override]
        """A constant of this type."""
        return ScalarConstant(self, self.filter(value), name)

    def clone(
        self, dtype: str | None = None, broadcastable: Any = None, shape: Any = None
    ) -> Scalar:
        """The same type with another dtype."""
        return get_scalar_type(dtype or self.dtype)

    def convert_variable(self, variable: Variable) -> Variable | None:
        """A 0-d tensor of the same dtype as a scalar, else None."""
        kind = variable.type
        if isinstance(kind, TensorType) and kind.ndim == 0 and kind.dtype == self.dtype:
            converted: Variable = as_scalar(variable)
            return converted
        return None

    @staticmethod
    def upcast(*types: Scalar) -> str:
        """The dtype of an operation on numbers of these types."""
        return dtypes.upcast(*(kind.dtype for kind in types))

    def __str__(self) -> str:
        return f"Scalar({self.dtype})"

    __repr__ = __str__


class ScalarOperators:
    """What scalar variables can do: Python's operators, and a few methods of arrays."""

    type: Any
    __array_ufunc__ = None  # NumPy's numbers leave operators to these

    @property
    def ndim(self) -> int:
        """0."""
        return 0

    @property
    def dtype(self) -> str:
        """Name of the element type."""
        name: str = self.type.dtype
        return name

    def astype(self, dtype: Any) -> Any:
        """The number with another dtype."""
        return _op("cast")(self, dtype)

    def zeros_like(self, dtype: Any = None) -> Any:
        """0, of this dtype or of ``dtype``."""
        return self._filled(0, dtype)

    def ones_like(self, dtype: Any = None) -> Any:
        """1, of this dtype or of ``dtype``."""
        return self._filled(1, dtype)

    def _filled(self, value: int, dtype: Any) -> Any:
        kind = get_scalar_type(dtype or self.type.dtype)
        return _op("second")(self, kind.constant(np.asarray(value, dtype=kind.dtype)))

    def __pos__(self) -> Any:
        return self

    def __divmod__(self, other: Any) -> Any:
        return _op("int_div")(self, other), _op("mod")(self, other)

    def eval(self, inputs_to_values: Any = None) -> Any:
        """The value: compiles and runs; see the method of tensors."""
        return registry.apply("eval", self, inputs_to_values)

    def _as_TensorVariable(self) -> Any:
        return tensor_from_scalar(self)


def _op(name: str) -> Callable[..., Any]:
    from theano.ops import scalar_library

    found: Callable[..., Any] = getattr(scalar_library, name)
    return found


def _method(name: str, swap: bool = False) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        if isinstance(other, Variable) and not isinstance(other.type, Scalar):
            return NotImplemented
        return _op(name)(other, self) if swap else _op(name)(self, other)

    return operator


for _symbol, _name in (_BINARY | _COMPARE).items():
    setattr(ScalarOperators, f"__{_symbol}__", _method(_name))
for _symbol, _name in _BINARY.items():
    setattr(ScalarOperators, f"__r{_symbol}__", _method(_name, swap=True))
for _symbol, _name in _UNARY.items():
    setattr(ScalarOperators, f"__{_symbol}__", lambda self, _name=_name: _op(_name)(self))


class ScalarVariable(ScalarOperators, Variable):
    """A symbolic number."""


class ScalarConstant(ScalarOperators, Constant):
    """A symbolic number whose value is known."""

    def signature(self) -> Any:
        """(type, bytes): equal constants share it."""
        return (self.type, self.data.tobytes())

    def __str__(self) -> str:
        return self.name if self.name is not None else f"ScalarConstant{{{self.data}}}"


@functools.cache
def _scalar_type(name: str) -> Scalar:
    return Scalar(name)


def get_scalar_type(dtype: Any) -> Scalar:
    """The ``Scalar`` type of a dtype; ``"floatX"`` allowed."""
    return _scalar_type(dtypes.dtype_name(dtype))


def constant(x: Any, name: str | None = None, dtype: Any = None) -> ScalarConstant:
    """A constant; Python numbers take the smallest dtype that holds them, as tensors do.

    Raises TypeError for what is not one number.
    """
    data = literal_array(x, dtype)
    if data.ndim or data.dtype.name not in dtypes.NUMPY:
        raise TypeError(f"cannot make a scalar of {type(x).__name__} {str(x)[:60]!r}")
    return get_scalar_type(data.dtype.name).constant(data, name)


def as_scalar(x: Any, name: str | None = None) -> Any:
    """``x`` as a scalar variable: a scalar, a 0-d tensor, an Apply of one, or a number.

    Raises TypeError for everything else.
    """
    if isinstance(x, Apply):
        x = x.default_output()
    if not isinstance(x, Variable):
        return constant(x, name)
    if isinstance(x.type, Scalar):
        return x
    if isinstance(x.type, TensorType) and x.type.ndim == 0:
        return scalar_from_tensor(x)
    raise TypeError(f"Cannot convert {x} of type {x.type} to a scalar: it must be 0-d.")


class _Convert(TensorOp):
    """The same number, of the other type."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "view"
    view_map = SHARES_INPUT

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [()]

    def view(self, node: Apply, v: Any) -> Any:
        """No axes."""
        return (), ()

    def same_value(self, node: Apply) -> Any:
        """The input has the same value."""
        return node.inputs[0]

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Hand the value on."""
        output_storage[0][0] = np.asarray(inputs[0])

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]


class TensorFromScalar(_Convert):
    """A scalar as a 0-d tensor."""

    def make_node(self, x: Any) -> Apply:
        """Check the type."""
        x = as_scalar(x)
        return Apply(self, [x], [TensorType(x.type.dtype, shape=())()])

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [scalar_from_tensor(output_grads[0])]


class ScalarFromTensor(_Convert):
    """A 0-d tensor as a scalar."""

    def make_node(self, x: Any) -> Apply:
        """Check the type: TypeError unless a 0-d tensor."""
        if not isinstance(x, Variable) or isinstance(x.type, Scalar):
            x = registry.apply("as_tensor_variable", x)
        if not isinstance(x.type, TensorType) or x.type.ndim:
            raise TypeError(f"scalar_from_tensor takes a 0-d tensor, got {x} of type {x.type}")
        return Apply(self, [x], [get_scalar_type(x.type.dtype)()])

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [tensor_from_scalar(output_grads[0])]


tensor_from_scalar = TensorFromScalar()
scalar_from_tensor = ScalarFromTensor()
registry.register("tensor_from_scalar", tensor_from_scalar)
registry.register("scalar_from_tensor", scalar_from_tensor)


# the types, and constructors of several variables at once ---------------------------------------

bool_type: Final = get_scalar_type("bool")
TYPES: Final[dict[str, Scalar]] = {name: get_scalar_type(name) for name in dtypes.all_dtypes}
GROUPS: Final[dict[str, tuple[Scalar, ...]]] = {
    f"{group}_types": tuple(TYPES[name] for name in names)
    for group, names in {
        "int": dtypes.int_dtypes, "uint": dtypes.uint_dtypes, "integer": dtypes.integer_dtypes,
        "float": dtypes.float_dtypes, "complex": dtypes.complex_dtypes,
        "discrete": dtypes.discrete_dtypes, "continuous": dtypes.continuous_dtypes,
        "all": dtypes.all_dtypes,
    }.items()
}  # fmt: skip


def _several(name: str, kind: Scalar) -> Callable[..., Any]:
    def construct(*names: Any) -> Any:
        if len(names) == 1 and isinstance(names[0], (str, list, tuple)):
            names = tuple(names[0])
        made = [kind(each) for each in names]
        return made[0] if len(made) == 1 else made

    construct.__name__ = construct.__qualname__ = name
    construct.__doc__ = f"Variables of {kind}: ``{name}('x', 'y')``, or ``{name}('xy')``."
    return construct


floats, ints = _several("floats", TYPES["float64"]), _several("ints", TYPES["int64"])
complexs = _several("complexs", TYPES["complex128"])
complexs64 = _several("complexs64", TYPES["complex64"])
complexs128 = _several("complexs128", TYPES["complex128"])


def float_type() -> Scalar:
    """The scalar type of ``config.floatX`` now."""
    return get_scalar_type(config.floatX)
