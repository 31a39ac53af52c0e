"""Hand-written Programs and the way to run them natively, for the tests of host functions."""

from theano.backends.cpu import build, compiler
from theano.backends.cpu.host import render_program
from theano.kernel import ir
from theano.lower import program as pg


class Native:
    """A compiled program with recording slow and fail callbacks."""

    def __init__(self, program, cells=(), single=True):
        self.calls = []
        code = render_program(program, single, compiler.host_features().features)
        # Broken IR must raise, not abort the test run.
        from llvmlite import binding

        binding.parse_assembly(code.text).verify()
        self.compiled = build.compile_program(program, single)

        def slow(*args, **kwargs):
            self.calls.append(("slow", args, kwargs))
            return "slow"

        def fail(step, *args):
            self.calls.append(("fail", step, args))
            return "fail"

        self.run = self.compiled.make_entry(program, cells, slow, fail, single)


def parameter(name, dtype="float32", ndim=1, kind="input", index=0, static=None):
    return pg.Param(name, dtype, ndim, kind, index, static or (None,) * ndim)


def elementwise(prim, dtype, count, ndim=1):
    """A kernel ``out = prim(in0, …)`` over ``ndim`` axes."""
    axes = tuple(f"a{i}" for i in range(ndim))
    operands = [ir.Operand(f"x{i}", dtype, axes) for i in range(count)]
    operands.append(ir.Operand("y", dtype, axes, "out"))
    body = [ir.Load(f"v{i}", dtype, f"x{i}") for i in range(count)]
    body += [ir.Apply("r", dtype, prim, tuple(f"v{i}" for i in range(count))), ir.Store("y", "r")]
    return ir.Kernel(f"k_{prim}", axes, (), tuple(operands), (), (ir.Stage("each", tuple(body)),))


def add_program(kind="output", dtype="float32", ndim=1, static=None):
    """``x + y`` of one rank."""
    dims = tuple(f"n{i}" for i in range(ndim))
    axes = tuple(range(ndim))
    return pg.Program(
        "add",
        (parameter("x", dtype, ndim, static=static), parameter("y", dtype, ndim, index=1)),
        (
            *(pg.Dim(d, "x", i) for i, d in enumerate(dims)),
            *(pg.Dim(f"m{i}", "y", i) for i in range(ndim)),
            *(pg.Let(f"c{i}", "bool", "eq", (d, f"m{i}"), "int64") for i, d in enumerate(dims)),
            *(pg.Check(f"c{i}", "extents agree") for i in range(ndim)),
            pg.Alloc("z", dtype, dims, kind),
            pg.Launch(
                elementwise("add", dtype, 2, ndim), dims,
                tuple(pg.Operand(a, axes) for a in "xyz"), (),
            ),
        ),
        (pg.Result("output", 0, "z"),),
        1,
    )  # fmt: skip


def counter_program(steps=(), results=None):
    """Shared ``s`` becomes ``s + x``, which is also returned."""
    return pg.Program(
        "count",
        (parameter("x"), parameter("s", kind="shared")),
        (
            pg.Dim("n", "x", 0),
            pg.Dim("m", "s", 0),
            pg.Let("c", "bool", "eq", ("n", "m"), "int64"),
            pg.Check("c", "extents agree"),
            pg.Alloc("z", "float32", ("n",), "output"),
            pg.Launch(
                elementwise("add", "float32", 2), ("n",),
                tuple(pg.Operand(a, (0,)) for a in "xsz"), (),
            ),
            *steps,
        ),
        results or (pg.Result("output", 0, "z"), pg.Result("update", 0, "z")),
        0,
    )  # fmt: skip


def python_program(call):
    return pg.Program(
        "python",
        (parameter("x", "float64", 2),),
        (
            pg.Dim("m", "x", 0),
            pg.Dim("n", "x", 1),
            pg.View("t", "float64", "x", (), (pg.ViewAxis(1, "n"), pg.ViewAxis(0, "m"))),
            pg.PyCall(0, ("x", "t"), (("a", "float64", 1), ("b", "int64", 0))),
            pg.Peek("k", "int64", "b"),
            pg.Alloc("z", "int64", (), "output"),
            pg.Poke("z", "k", "int64"),
        ),
        (pg.Result("output", 0, "a"), pg.Result("output", 1, "z")),
        0,
        callables=(pg.PyFunction("call", call),),
    )
