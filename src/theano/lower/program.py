"""The Program: what a backend turns into one callable. Steps over registers and arrays.

Registers are host scalars (sizes, indices, 0-d arithmetic); arrays have a dtype, a rank, run-time
extents and byte strides; objects are Python values (lists, slices, random states, sparse matrices)
that steps only pass on. Every name is assigned once. A register argument is the name of a register
or a Python literal.

Grammar (the text form, see ``lower/text.py``)::

    program := "program" NAME "{" param* step* result* "}"
    param   := "param" VALUE KIND INDEX            KIND: input | shared | constant
    step    := REG "=" PRIM REG* ":" DTYPE                            Let
             | REG "=" "dim" ARRAY INT                                Dim
             | REG "=" "peek" ARRAY                                   Peek (0-d)
             | "poke" ARRAY REG                                       Poke (0-d)
             | "check" REG NODE                                       Check
             | ARRAY "=" "alloc" DTYPE "[" REG* "]" PLACE             Alloc (C order)
             | ARRAY "=" "view" ARRAY start* axis*                    View
             | ARRAY "=" "reshape" ARRAY "[" REG* "]" SLOT            Reshape
             | "launch" KERNEL extents operands scalars               Launch
             | [REG "="] "call" FUNCTION ARRAY* REG*                  Call
             | VALUE* "=" "python" INDEX VALUE*                       PyCall
             | REG "=" "loop" REG REG [REG] VALUE* "{" step* "}"      Loop
             | (ARRAY "=" ARRAY | ARRAY)* "if" REG "{" step* "}" "else" "{" step* "}"   Branch
    result  := "output" INDEX VALUE | "update" INDEX VALUE

A VALUE is an ARRAY or the name of an object.

A failed check or a kernel's error flag ends the call with a status; nothing has been committed
then (steps that write storage owned by a shared variable come after every step that can fail, and
updates are committed last), so the caller can run the reference backend for the exact message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from typing import Any

from theano.core.record import dataclass
from theano.kernel.ir import Kernel

Arg = str | int | float | bool  # a register's name or a literal
OBJECT = "object"  # the dtype of a value that is no array: steps only pass it on


@dataclass(frozen=True, slots=True)
class Param:
    """An array or object that exists before the program runs.

    ``kind``: ``input`` (argument ``index`` of the call), ``shared`` (cell ``index``: a one-element
    list that holds the ndarray) or ``constant`` (entry ``index`` of ``Program.constants``).
    ``static`` holds known extents (``None`` where unknown): the host checks the known. An object
    (``dtype`` OBJECT, ``ndim`` 0) may be anything; only a Python step or a result may name it.
    """

    name: str
    dtype: str
    ndim: int
    kind: str
    index: int
    static: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Let:
    """``out = prim(args)`` on registers; all args have ``operand_dtype``, the result ``dtype``."""

    out: str
    dtype: str
    prim: str
    args: tuple[Arg, ...]
    operand_dtype: str


@dataclass(frozen=True, slots=True)
class Dim:
    """``out`` = extent of ``array`` along ``axis`` (int64)."""

    out: str
    array: str
    axis: int


@dataclass(frozen=True, slots=True)
class Peek:
    """``out`` = the element of a 0-d array (float16 is widened to float32)."""

    out: str
    dtype: str
    array: str


@dataclass(frozen=True, slots=True)
class Poke:
    """Store a register into a 0-d array (converted to the array's dtype where they differ)."""

    array: str
    value: Arg
    dtype: str


@dataclass(frozen=True, slots=True)
class Check:
    """End the call with a status unless ``condition`` (a bool register); ``text`` says of what."""

    condition: str
    text: str


@dataclass(frozen=True, slots=True)
class Alloc:
    """A fresh C-contiguous array with uninitialised elements.

    ``place``: ``"output"`` (a new NumPy array, to be returned or stored in a shared variable) or
    ``"slot:K"`` (scratch slot K of the function; its earlier tenant is dead by now).
    """

    out: str
    dtype: str
    dims: tuple[Arg, ...]
    place: str


@dataclass(frozen=True, slots=True)
class ViewAxis:
    """One axis of a view: it moves ``step`` elements along axis ``source`` of the source array.

    ``source`` None: a new axis that does not move (stride 0) of extent ``length``.
    """

    source: int | None
    length: Arg
    step: Arg = 1


@dataclass(frozen=True, slots=True)
class View:
    """``out`` shares the storage of ``source``: begins at ``starts`` = ((axis, index), …)."""

    out: str
    dtype: str
    source: str
    starts: tuple[tuple[int, Arg], ...]
    axes: tuple[ViewAxis, ...]


@dataclass(frozen=True, slots=True)
class Reshape:
    """``source`` in C order with other extents: a view if it is contiguous, else a copy in slot."""

    out: str
    dtype: str
    source: str
    dims: tuple[Arg, ...]
    place: str


@dataclass(frozen=True, slots=True)
class Operand:
    """How a kernel operand is bound: per kernel axis the array's axis (None: it does not move),
    and the array's axes that the gather indices address."""

    array: str
    axes: tuple[int | None, ...]
    gather: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Launch:
    """Run ``kernel``: extents per kernel axis, operands and scalars in the kernel's order."""

    kernel: Kernel
    extents: tuple[Arg, ...]
    operands: tuple[Operand, ...]
    scalars: tuple[Arg, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A library function. ``gemm``: arrays (C, A, B), scalars (alpha, beta): C = alpha A B + beta C
    (A, B of rank 2 with any strides; C has unit column stride). ``gemm_squares``: arrays
    (C, S, A, B), and S becomes the sum of the squares of what C was. ``copy``: arrays (out, in).
    Any other name is a routine (``runtime/routines``).

    The first ``writes`` arrays are written. ``out`` names the int64 register of the number that a
    routine gives, or is empty.
    """

    function: str
    arrays: tuple[str, ...]
    scalars: tuple[Arg, ...]
    writes: int = 1
    out: str = ""


@dataclass(frozen=True, slots=True)
class PyCall:
    """Entry ``index`` of ``Program.callables`` on arrays (read-only to it) and objects.

    ``outs``: (name, dtype, ndim) of what it returns: fresh or borrowed C-contiguous arrays, and
    objects (dtype OBJECT, ndim 0).
    """

    index: int
    ins: tuple[str, ...]
    outs: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """Run ``body`` for ``index`` = 0, 1, … below ``count``, or until after a run ``stop`` (a bool
    register of the body, or empty) holds. ``out``: how many runs there were.

    What the body names is its own, anew in each run; values pass from run to run through arrays
    made before the loop. ``objects``: (name in the body, object before the first run, object that
    a run leaves for the next, name after the loop).
    """

    out: str
    index: str
    count: Arg
    body: tuple[Any, ...]
    stop: str = ""
    objects: tuple[tuple[str, str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """Run ``first`` if the bool register ``condition`` holds, else ``second``.

    ``outs``: (name, dtype, rank, array of the first side, array of the second): what either side
    leaves behind. All other names of the sides are their own.
    """

    condition: str
    first: tuple[Any, ...]
    second: tuple[Any, ...]
    outs: tuple[tuple[str, str, int, str, str], ...]


Step = (
    Let
    | Dim
    | Peek
    | Poke
    | Check
    | Alloc
    | View
    | Reshape
    | Launch
    | Call
    | PyCall
    | Loop
    | Branch
)


def bodies(step: Any) -> tuple[tuple[Any, ...], ...]:
    """The steps inside a step: of a loop, of both sides of a branch."""
    if isinstance(step, Loop):
        return (step.body,)
    return (step.first, step.second) if isinstance(step, Branch) else ()


def walk(steps: Iterable[Any]) -> Iterator[Any]:
    """All steps, those inside of others included."""
    stack = [iter(steps)]
    while stack:
        for step in stack[-1]:
            yield step
            inside = bodies(step)
            if inside:
                stack.extend(iter(body) for body in reversed(inside))
                break
        else:
            stack.pop()


@dataclass(frozen=True, slots=True)
class Result:
    """``output`` number ``index`` of the call, or the new value of shared cell ``index``.

    An update whose array is a view of the cell's own storage was made in place: nothing to commit
    (``inplace`` is True then).
    """

    kind: str
    index: int
    array: str
    inplace: bool = False


@dataclass(frozen=True)
class PyFunction:
    """A Python step: ``call(*values) -> sequence of values``, ndarrays and objects."""

    name: str
    call: Callable[..., Any] = field(compare=False)


@dataclass(frozen=True)
class Program:
    """Everything that a backend needs; ``constants`` and ``callables`` are bound at load time."""

    name: str
    params: tuple[Param, ...]
    steps: tuple[Step, ...]
    results: tuple[Result, ...]
    slots: int
    constants: tuple[Any, ...] = ()
    callables: tuple[PyFunction, ...] = ()
