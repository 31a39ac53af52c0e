"""The kernel IR, whole.

A kernel visits every point of its *outer* axes (independent: a backend may run them in any order
and in parallel, except those named in ``serial``), and at each outer point runs its stages in
order. An ``each`` stage runs its statements once; a ``loop`` stage runs them at every point of the
*inner* axes. A pure map has no inner axes and one ``each`` stage; a full reduction has no outer
axes; softmax is three loops over one row. Extents, pointers and strides are run-time values.

Grammar (the text form, see ``kernel/text.py``)::

    kernel   := "kernel" NAME "(" AXIS* "|" AXIS* ")" ["serial" AXIS*] "{" operand* stage* "}"
    operand  := ("in" | "out" | "scatter") NAME ":" DTYPE "[" AXIS* "]" ["gather" INT]
              | "scalar" NAME ":" DTYPE
    stage    := ("each" | "loop") "{" stmt* "}"
    stmt     := VALUE "=" "const" LITERAL ":" DTYPE
              | VALUE "=" "index" AXIS
              | VALUE "=" "load" NAME ["[" VALUE* "]"] ":" DTYPE
              | VALUE "=" PRIM VALUE* ":" DTYPE
              | VALUE "=" "accumulate" KIND VALUE ":" DTYPE
              | "store" NAME ["[" VALUE* "]"] VALUE
              | "add" NAME ["[" VALUE* "]"] VALUE
              | "fail" VALUE

Access: an operand's address is ``base + sum(axis * stride[axis])`` over the axes it names (it does
not move along the others), plus ``sum(index_j * gather_stride_j)`` for its ``gather`` extra
dimensions. A gather index is checked against the extent of its dimension; negative ones count from
the end; one out of range sets the kernel's error flag. Scalars are passed by value and are
readable everywhere as values of their own name.

Values of an ``each`` stage are readable in later stages, those of a ``loop`` only inside it. An
accumulated value is readable in later stages only; its identity is the kind's. ``argmax`` and
``argmin`` give the int64 position in the row-major order of the inner axes; the first wins ties,
the first NaN wins over all. ``add`` is a read-modify-write store in the order of the serial axes.
``fail`` sets the error flag where its bool value holds; the kernel goes on.
An ``out`` operand may be loaded once it has been stored at the same point.
"""

from __future__ import annotations

from theano.core.record import dataclass

KINDS = ("add", "mul", "max", "min", "and", "or", "argmax", "argmin")


@dataclass(frozen=True, slots=True)
class Operand:
    """A buffer that a kernel reads or writes: ``axes`` are those along which it moves."""

    name: str
    dtype: str
    axes: tuple[str, ...]
    mode: str = "in"  # "in" | "out" | "scatter"
    gather: int = 0


@dataclass(frozen=True, slots=True)
class Param:
    """A scalar passed by value."""

    name: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Const:
    """``out = value``; floats keep their exact value, nan and infinities included."""

    out: str
    dtype: str
    value: int | float | bool


@dataclass(frozen=True, slots=True)
class Index:
    """``out`` = the current position along ``axis`` (int64)."""

    out: str
    axis: str


@dataclass(frozen=True, slots=True)
class Load:
    """``out = operand[...]``, with one int64 value per gathered dimension in ``index``."""

    out: str
    dtype: str
    operand: str
    index: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Apply:
    """``out = prim(args)``; ``dtype`` is the dtype of the result."""

    out: str
    dtype: str
    prim: str
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accumulate:
    """Over the inner axes, combine ``value`` into ``out`` (dtype of value; int64 for arg*)."""

    out: str
    dtype: str
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Store:
    """``operand[...] = value`` or, with ``add``, ``operand[...] += value``."""

    operand: str
    value: str
    index: tuple[str, ...] = ()
    add: bool = False


@dataclass(frozen=True, slots=True)
class Fail:
    """Set the kernel's error flag where the bool ``value`` holds."""

    value: str


Stmt = Const | Index | Load | Apply | Accumulate | Store | Fail


@dataclass(frozen=True, slots=True)
class Stage:
    """``loop`` stages run over the inner axes, ``each`` stages once per outer point."""

    kind: str  # "each" | "loop"
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Kernel:
    """One loop nest; see the module text."""

    name: str
    outer: tuple[str, ...]
    inner: tuple[str, ...]
    operands: tuple[Operand, ...]
    scalars: tuple[Param, ...]
    stages: tuple[Stage, ...]
    serial: tuple[str, ...] = ()

    @property
    def axes(self) -> tuple[str, ...]:
        """All axes, outer first: the order of ``extents`` in a launch."""
        return self.outer + self.inner

    def operand(self, name: str) -> Operand:
        """The operand called ``name``."""
        for operand in self.operands:
            if operand.name == name:
                return operand
        raise KeyError(name)
