"""Writing scalar code: a Builder collects statements, a Val is a typed value with operators.

>>> k = Builder()
>>> x = k.value("x", "float32")
>>> z = 1 / (1 + k.exp(-x))
>>> len(k.statements)
5
"""

from __future__ import annotations

from typing import Any

from theano.kernel import ir, prims


class Val:
    """A value in a kernel: SSA name and dtype. Python numbers take the other operand's dtype."""

    __slots__ = ("builder", "dtype", "name")

    def __init__(self, builder: Builder, name: str, dtype: str) -> None:
        self.builder = builder
        self.name = name
        self.dtype = dtype

    def _apply(self, prim: str, other: Any, swap: bool = False) -> Val:
        other = self.builder.like(other, self)
        return self.builder.apply(prim, *((other, self) if swap else (self, other)))

    def __add__(self, other: Any) -> Val:
        return self._apply("add", other)

    def __radd__(self, other: Any) -> Val:
        return self._apply("add", other, True)

    def __sub__(self, other: Any) -> Val:
        return self._apply("sub", other)

    def __rsub__(self, other: Any) -> Val:
        return self._apply("sub", other, True)

    def __mul__(self, other: Any) -> Val:
        return self._apply("mul", other)

    def __rmul__(self, other: Any) -> Val:
        return self._apply("mul", other, True)

    def __truediv__(self, other: Any) -> Val:
        return self._apply("div", other)

    def __rtruediv__(self, other: Any) -> Val:
        return self._apply("div", other, True)

    def __floordiv__(self, other: Any) -> Val:
        return self._apply("idiv", other)

    def __mod__(self, other: Any) -> Val:
        return self._apply("mod", other)

    def __rfloordiv__(self, other: Any) -> Val:
        return self._apply("idiv", other, True)

    def __rmod__(self, other: Any) -> Val:
        return self._apply("mod", other, True)

    def __pow__(self, other: Any) -> Val:
        return self._apply("pow", other)

    def __rpow__(self, other: Any) -> Val:
        return self._apply("pow", other, True)

    def __and__(self, other: Any) -> Val:
        return self._apply("and", other)

    def __or__(self, other: Any) -> Val:
        return self._apply("or", other)

    def __xor__(self, other: Any) -> Val:
        return self._apply("xor", other)

    # `==` and `!=` are identity: `k.eq` and `k.ne` compare.
    def __lt__(self, other: Any) -> Val:
        return self._apply("lt", other)

    def __le__(self, other: Any) -> Val:
        return self._apply("le", other)

    def __gt__(self, other: Any) -> Val:
        return self._apply("gt", other)

    def __ge__(self, other: Any) -> Val:
        return self._apply("ge", other)

    def __neg__(self) -> Val:
        return self.builder.apply("neg", self)

    def __abs__(self) -> Val:
        return self.builder.apply("abs", self)

    def __invert__(self) -> Val:
        return self.builder.apply("not", self)

    def __repr__(self) -> str:
        return f"{self.name}:{self.dtype}"


class Builder:
    """Collects statements; equal pure statements are one (common subexpressions)."""

    def __init__(self, prefix: str = "v") -> None:
        self.statements: list[ir.Stmt] = []
        self._seen: dict[Any, Val] = {}
        self._prefix = prefix
        self._count = 0
        self._constants: dict[str, Any] = {}

    def fresh(self) -> str:
        """A name not used before."""
        self._count += 1
        return f"{self._prefix}{self._count}"

    def written(self) -> dict[Any, Val]:
        """The expressions that can be used again: what ``forget_all_but`` goes back to."""
        return dict(self._seen)

    def forget_all_but(self, written: dict[Any, Val]) -> None:
        """Write expressions anew that were written since ``written`` (in a loop that has ended)."""
        self._seen = written

    def value(self, name: str, dtype: str) -> Val:
        """A value defined elsewhere (a scalar parameter, an accumulator)."""
        return Val(self, name, dtype)

    def _pure(self, key: Any, dtype: str, make: Any) -> Val:
        found = self._seen.get(key)
        if found is None:
            name = self.fresh()
            self.statements.append(make(name))
            found = self._seen[key] = Val(self, name, dtype)
        return found

    def const(self, value: Any, dtype: str) -> Val:
        """A literal of ``dtype``."""
        if dtype == "bool":
            value = bool(value)
        elif dtype.startswith("float"):
            value = float(value)
        else:
            value = int(value)
        key = ("const", dtype, repr(value))
        found = self._pure(key, dtype, lambda name: ir.Const(name, dtype, value))
        self._constants[found.name] = value
        return found

    def like(self, value: Any, other: Val) -> Val:
        """``value`` as a Val; a Python number becomes a literal of ``other``'s dtype."""
        return value if isinstance(value, Val) else self.const(value, other.dtype)

    def apply(self, prim: str, *args: Any) -> Val:
        """A primitive on values of one dtype (``select`` takes a bool first)."""
        model = next(a for a in args[::-1] if isinstance(a, Val))
        vals = [self.like(a, model) for a in args]
        operand = vals[-1].dtype
        checked = vals[1:] if prim == "select" else vals
        if any(v.dtype != operand for v in checked):
            raise TypeError(f"{prim} on different dtypes: {vals}; cast first")
        dtype = prims.result_dtype(prim, operand)
        names = tuple(v.name for v in vals)
        return self._pure(
            (prim, dtype, names), dtype, lambda name: ir.Apply(name, dtype, prim, names)
        )

    def cast(self, value: Val, dtype: str) -> Val:
        """``value`` converted to ``dtype`` (itself if it has it)."""
        if value.dtype == dtype:
            return value
        if value.name in self._constants and value.dtype != "bool":
            folded = prims.evaluate("cast", (self._constants[value.name],), dtype)
            return self.const(folded.item(), dtype)
        names = (value.name,)
        return self._pure(
            ("cast", dtype, names), dtype, lambda name: ir.Apply(name, dtype, "cast", names)
        )

    def index(self, axis: str) -> Val:
        """The current position along ``axis`` (int64)."""
        return self._pure(("index", axis), "int64", lambda name: ir.Index(name, axis))

    def load(self, operand: ir.Operand, index: tuple[Val, ...] = ()) -> Val:
        """An element of ``operand``; float16 is widened to float32."""
        dtype = "float32" if operand.dtype == "float16" else operand.dtype
        names = tuple(v.name for v in index)
        return self._pure(
            ("load", operand.name, names),
            dtype,
            lambda name: ir.Load(name, dtype, operand.name, names),
        )

    def store(
        self, operand: ir.Operand, value: Val, index: tuple[Val, ...] = (), add: bool = False
    ) -> None:
        """Write an element."""
        names = tuple(v.name for v in index)
        self.statements.append(ir.Store(operand.name, value.name, names, add))

    def fail(self, condition: Val) -> None:
        """Make the call fail where ``condition`` holds; the reference then raises."""
        self.statements.append(ir.Fail(condition.name))

    def accumulate(self, kind: str, value: Val) -> Val:
        """Reduce ``value`` over the inner axes; readable in later stages."""
        name = self.fresh()
        dtype = "int64" if kind.startswith("arg") else value.dtype
        self.statements.append(ir.Accumulate(name, dtype, kind, value.name))
        return Val(self, name, dtype)

    def select(self, condition: Val, a: Any, b: Any) -> Val:
        """``a`` where ``condition`` else ``b``."""
        if not isinstance(a, Val) and not isinstance(b, Val):
            raise TypeError("select needs at least one value with a dtype")
        model = a if isinstance(a, Val) else b
        return self.apply("select", condition, self.like(a, model), self.like(b, model))

    def __getattr__(self, prim: str) -> Any:
        row = prim.rstrip("_")
        if prim.startswith("__") or row not in prims.PRIMS:
            raise AttributeError(prim)
        return lambda *args: self.apply(row, *args)
