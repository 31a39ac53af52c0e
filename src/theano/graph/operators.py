"""What every symbolic array can do: NumPy's operators, attributes and methods.

Nothing here knows an op. Each method asks the registry for the graph builder of that name, which
``ops/`` enters, so that variables need not import the ops that are built on variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from theano.core.errors import AsTensorError, ComplexError
from theano.graph.numpy_protocols import NumpyProtocols, without_truth
from theano.graph.numpy_table import squeeze
from theano.graph.registry import apply


def _binary(name: str, symbol: str) -> Callable[[Any, Any], Any]:
    """The method of ``self symbol other``; values that are no tensors are left to ``other``."""

    def operator(self: Any, other: Any) -> Any:
        try:
            return apply(name, self, other)
        except ComplexError:
            raise
        except (NotImplementedError, AsTensorError):
            return NotImplemented

    operator.__doc__ = f"``self {symbol} other``, elementwise."
    return operator


def _reflected(name: str, symbol: str) -> Callable[[Any, Any], Any]:
    """The method of ``other symbol self``, for an ``other`` that does not know how."""

    def operator(self: Any, other: Any) -> Any:
        try:
            return apply(name, other, self)
        except ComplexError:
            raise
        except (NotImplementedError, AsTensorError):
            return NotImplemented

    operator.__doc__ = f"``other {symbol} self``, elementwise."
    return operator


def _comparison(name: str, symbol: str) -> Callable[[Any, Any], Any]:
    """The method of an order comparison: symbolic, bool, and without a truth value."""

    def operator(self: Any, other: Any) -> Any:
        return without_truth(apply(name, self, other))

    operator.__doc__ = f"``self {symbol} other``, elementwise: a symbolic array of bool."
    return operator


def _unary(name: str, what: str) -> Callable[[Any], Any]:
    """The method that applies one elementwise function."""

    def method(self: Any) -> Any:
        return apply(name, self)

    method.__doc__ = f"{what}, elementwise."
    return method


class TensorOperators(NumpyProtocols):
    """Mixin of all symbolic arrays: variables, constants, shared arrays.

    ``==``, ``!=`` and ``hash`` are those of any object (identity): variables are keys of
    dictionaries everywhere. ``theano.tensor.eq`` and ``neq`` compare values.
    """

    type: Any
    _is_nonzero: bool = True

    # attributes --------------------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        ndim: int = self.type.ndim
        return ndim

    @property
    def dtype(self) -> str:
        """Name of the element type."""
        dtype: str = self.type.dtype
        return dtype

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        """Per dimension: is its size known to be 1, so that it stretches in arithmetic?"""
        pattern: tuple[bool, ...] = self.type.broadcastable
        return pattern

    @property
    def shape(self) -> Any:
        """The extents, as a symbolic int64 vector that can be indexed, sliced and iterated."""
        return apply("shape", self)

    @property
    def size(self) -> Any:
        """The number of elements, symbolic."""
        return self.shape[0] if self.ndim == 1 else apply("prod", self.shape)

    @property
    def T(self) -> Any:
        """All dimensions reversed."""
        return apply("transpose", self)

    @property
    def real(self) -> Any:
        """Real parts."""
        return apply("real", self)

    @property
    def imag(self) -> Any:
        """Imaginary parts."""
        return apply("imag", self)

    # truth, iteration, item access -------------------------------------------------------------

    def __bool__(self) -> bool:
        if self._is_nonzero:
            return True
        raise TypeError(
            "Variables do not support boolean operations. A comparison such as `a < b` is "
            "symbolic: use theano.tensor.switch or theano.ifelse.ifelse to choose by it, "
            "theano.tensor.and_ to combine two, and .eval() to see its value."
        )

    def _no_number(self) -> Any:
        raise TypeError(
            f"{self} is symbolic: it has no value to make a Python number of. Use .eval() for its "
            "value, theano.function to compute it, and .astype for another element type."
        )

    __float__ = __int__ = __complex__ = _no_number

    def __len__(self) -> int:
        raise TypeError(
            f"object of {self.type} has no len(): sizes are symbolic. Use x.shape[0], or x.ndim; "
            "x.type.shape holds the sizes that are known."
        )

    def __contains__(self, value: Any) -> bool:
        raise TypeError(
            "`in` cannot ask a symbolic array for its elements: theano.tensor.any(eq(x, value)) "
            "is the symbolic answer."
        )

    def __iter__(self) -> Iterator[Any]:
        try:
            known = self.type.shape[0] if self.type.ndim > 1 else None
            length = apply("get_vector_length", self) if known is None else known
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{self.type} does not support iteration: its length is not known while the graph "
                "is built. Did you use Python's sum, max, min or zip in place of theano.tensor's? "
                "theano.scan loops over an array at run time."
            ) from error
        return (self[index] for index in range(length))

    def __getitem__(self, index: Any) -> Any:
        return apply("getitem", self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "Symbolic arrays do not support item assignment: "
            "y = theano.tensor.set_subtensor(x[index], value) gives a new one."
        )

    def set(self, value: Any) -> Any:
        """For ``x[index].set(value)``: ``x`` with these elements replaced."""
        return apply("set_subtensor", self, value)

    def inc(self, value: Any) -> Any:
        """For ``x[index].inc(value)``: ``x`` with ``value`` added to these elements."""
        return apply("inc_subtensor", self, value)

    # operators ---------------------------------------------------------------------------------

    __lt__ = _comparison("lt", "<")
    __le__ = _comparison("le", "<=")
    __gt__ = _comparison("gt", ">")
    __ge__ = _comparison("ge", ">=")

    __add__ = _binary("add", "+")
    __sub__ = _binary("sub", "-")
    __mul__ = _binary("mul", "*")
    __truediv__ = _binary("true_div", "/")
    __floordiv__ = _binary("int_div", "//")
    __mod__ = _binary("mod", "%")
    __matmul__ = _binary("matmul", "@")
    __pow__ = _binary("pow", "**")
    __and__ = _binary("and_", "&")
    __or__ = _binary("or_", "|")
    __xor__ = _binary("xor", "^")
    __lshift__ = _binary("left_shift", "<<")
    __rshift__ = _binary("right_shift", ">>")
    __radd__ = _reflected("add", "+")
    __rsub__ = _reflected("sub", "-")
    __rmul__ = _reflected("mul", "*")
    __rtruediv__ = _reflected("true_div", "/")
    __rfloordiv__ = _reflected("int_div", "//")
    __rmod__ = _reflected("mod", "%")
    __rmatmul__ = _reflected("matmul", "@")
    __rpow__ = _reflected("pow", "**")
    __rand__ = _reflected("and_", "&")
    __ror__ = _reflected("or_", "|")
    __rxor__ = _reflected("xor", "^")
    __rlshift__ = _reflected("left_shift", "<<")
    __rrshift__ = _reflected("right_shift", ">>")

    def __divmod__(self, other: Any) -> Any:
        return apply("int_div", self, other), apply("mod", self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return apply("int_div", other, self), apply("mod", other, self)

    def __dot__(self, right: Any) -> Any:
        return apply("dot", self, right)

    def __rdot__(self, left: Any) -> Any:
        return apply("dot", left, self)

    __neg__ = _unary("neg", "``-self``")
    __invert__ = _unary("invert", "``~self``: bitwise not; logical not of bool")
    __abs__ = _unary("abs_", "Absolute value")
    __ceil__ = _unary("ceil", "Least integer not below")
    __floor__ = _unary("floor", "Greatest integer not above")
    __trunc__ = _unary("trunc", "Nearest integer towards zero")

    def __pos__(self) -> Any:
        return self

    # elementwise methods -----------------------------------------------------------------------

    arccos = _unary("arccos", "Inverse cosine")
    arccosh = _unary("arccosh", "Inverse hyperbolic cosine")
    arcsin = _unary("arcsin", "Inverse sine")
    arcsinh = _unary("arcsinh", "Inverse hyperbolic sine")
    arctan = _unary("arctan", "Inverse tangent")
    arctanh = _unary("arctanh", "Inverse hyperbolic tangent")
    ceil = _unary("ceil", "Least integer not below")
    conj = _unary("conj", "Complex conjugate")
    conjugate = _unary("conj", "Complex conjugate")
    cos = _unary("cos", "Cosine")
    cosh = _unary("cosh", "Hyperbolic cosine")
    deg2rad = _unary("deg2rad", "Degrees as radians")
    exp = _unary("exp", "e ** x")
    exp2 = _unary("exp2", "2 ** x")
    expm1 = _unary("expm1", "e ** x - 1, exact near 0")
    floor = _unary("floor", "Greatest integer not above")
    log = _unary("log", "Natural logarithm")
    log10 = _unary("log10", "Logarithm to base 10")
    log1p = _unary("log1p", "log(1 + x), exact near 0")
    log2 = _unary("log2", "Logarithm to base 2")
    rad2deg = _unary("rad2deg", "Radians as degrees")
    sin = _unary("sin", "Sine")
    sinh = _unary("sinh", "Hyperbolic sine")
    sqrt = _unary("sqrt", "Square root")
    tan = _unary("tan", "Tangent")
    tanh = _unary("tanh", "Hyperbolic tangent")
    trunc = _unary("trunc", "Nearest integer towards zero")

    def round(self, mode: str | None = None) -> Any:
        """Nearest integer; ``mode`` is half_to_even (the default) or half_away_from_zero."""
        return apply("round", self, mode)

    def clip(self, a_min: Any, a_max: Any) -> Any:
        """Values below ``a_min`` become ``a_min``, those above ``a_max`` become ``a_max``."""
        return apply("clip", self, a_min, a_max)

    def astype(self, dtype: Any) -> Any:
        """The array with another element type ('floatX' allowed)."""
        return apply("cast", self, dtype)

    def fill(self, value: Any) -> Any:
        """An array of this shape that holds ``value`` everywhere."""
        return apply("fill", self, value)

    def copy(self, name: str | None = None) -> Any:
        """A new variable of the same value."""
        result = apply("tensor_copy", self)
        result.name = name
        return result

    def zeros_like(self, dtype: Any = None) -> Any:
        """Zeros of this shape."""
        return apply("zeros_like", self, dtype=dtype)

    def ones_like(self, dtype: Any = None) -> Any:
        """Ones of this shape."""
        return apply("ones_like", self, dtype=dtype)

    # reductions --------------------------------------------------------------------------------

    def sum(
        self, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None
    ) -> Any:
        """Sum over ``axis`` (all axes: None)."""
        return apply("sum", self, axis=axis, dtype=dtype, keepdims=keepdims, acc_dtype=acc_dtype)

    def prod(
        self, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None
    ) -> Any:
        """Product over ``axis`` (all axes: None)."""
        return apply("prod", self, axis=axis, dtype=dtype, keepdims=keepdims, acc_dtype=acc_dtype)

    def mean(
        self, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None
    ) -> Any:
        """Mean over ``axis`` (all axes: None)."""
        return apply("mean", self, axis=axis, dtype=dtype, keepdims=keepdims, acc_dtype=acc_dtype)

    def var(
        self, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
    ) -> Any:
        """Variance over ``axis``, divided by n - ``ddof``."""
        return apply("var", self, axis, ddof=ddof, keepdims=keepdims, corrected=corrected)

    def std(
        self, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
    ) -> Any:
        """Standard deviation over ``axis``."""
        return apply("std", self, axis, ddof=ddof, keepdims=keepdims, corrected=corrected)

    def any(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Is any element over ``axis`` not zero?"""
        return apply("any", self, axis=axis, keepdims=keepdims)

    def all(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Are all elements over ``axis`` not zero?"""
        return apply("all", self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Greatest element over ``axis``."""
        return apply("max", self, axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Least element over ``axis``."""
        return apply("min", self, axis, keepdims=keepdims)

    def argmax(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Where the greatest element over ``axis`` is, int64."""
        return apply("argmax", self, axis, keepdims=keepdims)

    def argmin(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Where the least element over ``axis`` is, int64."""
        return apply("argmin", self, axis, keepdims=keepdims)

    def ptp(self, axis: Any = None) -> Any:
        """Greatest less least element over ``axis``."""
        return apply("ptp", self, axis)

    def norm(self, L: float, axis: Any = None, keepdims: bool = False) -> Any:
        """(Σ |x| ** L) ** (1 / L) over ``axis``; L = 0 and infinity are not implemented."""
        if L == 0 or np.isinf(L):
            raise NotImplementedError(f"norm with L={L}: use (x != 0).sum() or abs(x).max()")
        powers = apply("pow", apply("abs_", self), L)
        return apply("pow", powers.sum(axis=axis, keepdims=keepdims), 1.0 / L)

    def trace(self) -> Any:
        """Sum of the diagonal of a matrix."""
        return apply("trace", self)

    def cumsum(self, axis: int | None = None) -> Any:
        """Running sum along ``axis`` (of the flattened array: None)."""
        return apply("cumsum", self, axis)

    def cumprod(self, axis: int | None = None) -> Any:
        """Running product along ``axis`` (of the flattened array: None)."""
        return apply("cumprod", self, axis)

    # shape -------------------------------------------------------------------------------------

    def reshape(self, shape: Any, ndim: int | None = None) -> Any:
        """The elements in another shape; ``ndim`` is needed where ``shape`` has unknown length."""
        return apply("reshape", self, shape, ndim=ndim)

    def dimshuffle(self, *pattern: Any) -> Any:
        """Dimensions in another order: ints are old ones, ``'x'`` a new one of size 1."""
        if len(pattern) == 1 and isinstance(pattern[0], (list, tuple)):
            pattern = tuple(pattern[0])
        return apply("dimshuffle", self, *pattern)

    def flatten(self, ndim: int = 1) -> Any:
        """``ndim`` dimensions: the leading ``ndim - 1`` are kept, the rest become one."""
        return apply("flatten", self, ndim)

    def ravel(self) -> Any:
        """All elements as a vector."""
        return apply("flatten", self, 1)

    def transpose(self, *axes: Any) -> Any:
        """Dimensions in the order ``axes``; reversed if none are given."""
        if not axes:
            return apply("transpose", self)
        if len(axes) == 1 and isinstance(axes[0], (list, tuple)):
            axes = tuple(axes[0])
        return apply("transpose", self, axes)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """Two dimensions exchanged."""
        return apply("swapaxes", self, axis1, axis2)

    def squeeze(self, axis: Any = None) -> Any:
        """Without the dimensions that are known to have size 1, or without those of ``axis``."""
        return squeeze(self, axis)

    def repeat(self, repeats: Any, axis: int | None = None) -> Any:
        """Each element ``repeats`` times along ``axis``."""
        return apply("repeat", self, repeats, axis)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """The diagonal of two dimensions."""
        return apply("diagonal", self, offset, axis1, axis2)

    # selecting, sorting ------------------------------------------------------------------------

    def take(self, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
        """Elements at ``indices`` along ``axis``."""
        return apply("take", self, indices, axis, mode)

    def choose(self, choices: Any, out: Any = None, mode: str = "raise") -> Any:
        """Elements of ``choices[self]``."""
        return apply("choose", self, choices, out, mode)

    def compress(self, a: Any, axis: int | None = None) -> Any:
        """The slices of ``a`` along ``axis`` where this condition holds."""
        return apply("compress", self, a, axis=axis)

    def nonzero(self, return_matrix: bool = False) -> Any:
        """Indices of the elements that are not zero: one int64 vector for each dimension."""
        return apply("nonzero", self, return_matrix=return_matrix)

    def nonzero_values(self) -> Any:
        """The elements that are not zero, as a vector."""
        return apply("nonzero_values", self)

    def sort(self, axis: int | None = -1, kind: str = "quicksort", order: Any = None) -> Any:
        """Sorted along ``axis``."""
        return apply("sort", self, axis, kind, order)

    def argsort(self, axis: int | None = -1, kind: str = "quicksort", order: Any = None) -> Any:
        """Indices that sort along ``axis``."""
        return apply("argsort", self, axis, kind, order)

    def searchsorted(self, v: Any, side: str = "left", sorter: Any = None) -> Any:
        """Where ``v`` would go into this sorted vector."""
        return apply("searchsorted", self, v, side=side, sorter=sorter)

    # the rest ----------------------------------------------------------------------------------

    def dot(self, right: Any) -> Any:
        """Matrix product."""
        return apply("dot", self, right)

    def transfer(self, target: Any) -> Any:
        """The same value on another device (``'cpu'`` or a context's name)."""
        return apply("transfer", self, target)

    def get_scalar_constant_value(self) -> Any:
        """The value of this 0-d expression if it is constant; NotScalarConstantError if not."""
        return apply("get_scalar_constant_value", self)

    def eval(self, inputs_to_values: Mapping[Any, Any] | None = None) -> Any:
        """The value: compiles (once for each set of inputs) and runs.

        ``inputs_to_values`` maps variables of the graph to values; it may be left out where the
        expression depends on constants and shared variables only.
        """
        return apply("eval", self, inputs_to_values)
