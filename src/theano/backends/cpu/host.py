"""The host function of a Program: one built-in that checks, allocates, runs all steps, returns.

``ptr @host(ptr self, ptr args, i64 nargs, ptr names)``: ``self`` is a tuple whose first item is an
int64 array, the state block (`host_frame.State`); the other items keep alive what it points to.
Arguments that are not exactly what the parameters say go to the Python slow path; a failed step
goes to the Python function ``fail(step, *args)``. Both are called after everything was given back.
"""

from __future__ import annotations

import functools

from theano.backends.cpu.compiler import COLD
from theano.backends.cpu.emit import Emitter
from theano.backends.cpu.entry import SYMBOL, State
from theano.backends.cpu.host_frame import SLOW, Frame
from theano.backends.cpu.host_steps import Steps
from theano.backends.cpu.render import render_kernel
from theano.backends.cpu.timing import TimedSteps, timed_steps
from theano.core.record import dataclass
from theano.kernel.ir import Kernel
from theano.lower import program as pg
from theano.lower.memory import storage_roots, written
from theano.runtime import capi


@dataclass(frozen=True)
class HostCode:
    """The module of a Program: text, (kernel, symbol) of every kernel in it, the timed steps."""

    text: str
    state: State
    kernels: tuple[tuple[Kernel, str], ...]
    timed: tuple[pg.Step, ...] = ()


def render_program(
    program: pg.Program, single: bool, features: str, timed: bool = False
) -> HostCode:
    """Write the LLVM module of ``program``.

    Parameters
    ----------
    program
        What to run.
    single
        Return the only output itself instead of a list.
    features
        LLVM feature string of the processor.
    timed
        Count and time the steps that do work (`timing`).
    """
    steps = timed_steps(program) if timed else ()
    module = Emitter(1, features=features)
    names: dict[Kernel, str] = {}
    texts = []
    for step in pg.walk(program.steps):
        if isinstance(step, pg.Launch) and step.kernel not in names:
            names[step.kernel] = f"th_kernel{len(names)}"
            code = render_kernel(step.kernel, names[step.kernel], features, module)
            texts.append(code.text)
    cells = [p.index for p in program.params if p.kind == "shared"]
    cells += [r.index for r in program.results if r.kind == "update"]
    state = State(
        max(cells, default=-1) + 1, len(program.callables), len(program.constants), program.slots,
        len(steps),
    )  # fmt: skip
    host = Host(module, program, state, names, single).text()
    parts = [module.module_text(), *texts, host]
    if host.count("\n") > _LONG:
        # Glue for hundreds of steps: quick code generation matters more than quick glue.
        kernels = [f"declare void @{name}_run(ptr)" for name in names.values()]
        parts[-1:] = [COLD, module.module_text(), *kernels, host]
    return HostCode("\n".join(parts), state, tuple(names.items()), steps)


_LONG = 6000  # lines of the host function


class Host:
    """Writes the host function of one program."""

    def __init__(
        self, module: Emitter, program: pg.Program, state: State, symbols: dict[Kernel, str],
        single: bool,
    ) -> None:  # fmt: skip
        self.program = program
        self.single = single
        self.frame = Frame(module, program, state)
        self.f, self.e = self.frame.f, self.frame.e
        self.symbols = symbols
        # Calls that store something take turns; others only need scratch memory of their own.
        self.updates = any(r.kind == "update" for r in program.results)
        self.guarded = self.updates or state.slots > 0

    def text(self) -> str:
        """The definition."""
        self._prologue()
        self._inputs()
        if self.guarded:
            self._acquire()
        else:
            self.e.do("%slots = inttoptr i64 0 to ptr")
        self._stored_params()
        timed = self.frame.state.timers
        steps = (TimedSteps if timed else Steps)(self.frame, self.symbols)
        for number, step in enumerate(self.program.steps):
            steps.run(number, step)
        self._results()
        self._endings()
        self.f.lines[:0] = self.frame.entry
        head = f"ptr @{SYMBOL}(ptr %self, ptr %args, i64 %nargs, ptr %names)"
        return self.f.text(head)

    # ------------------------------------------------------------------ beginning

    def _prologue(self) -> None:
        at = capi.layout()
        state = self.frame.field("%self", at.tuple_items, "ptr")
        place = self.e.emit(f"getelementptr i8, ptr {state}, i64 {at.data}")
        self.e.do(f"%state = load ptr, ptr {place}")
        inputs = [p.index for p in self.program.params if p.kind == "input"]
        count = max(inputs, default=-1) + 1
        right = self.e.emit(f"icmp eq i64 %nargs, {count}")
        plain = self.e.emit("icmp eq ptr %names, null")
        self._else_slow(self.e.emit(f"and i1 {right}, {plain}"))

    def _else_slow(self, good: str) -> None:
        """Go to the slow path, with nothing to give back, unless ``good``."""
        following = self.f.label("fits")
        self.f.branch(good, following, "slow")
        self.f.start(following)

    def _all(self, conditions: list[str]) -> str:
        result = conditions[0] if conditions else "true"
        for condition in conditions[1:]:
            result = self.e.emit(f"and i1 {result}, {condition}")
        return result

    def _inputs(self) -> None:
        params = [p for p in self.program.params if p.kind == "input"]
        objects = {}
        for p in params:
            place = self.e.emit(f"getelementptr ptr, ptr %args, i64 {p.index}")
            objects[p.name] = self.e.emit(f"load ptr, ptr {place}, align 8")
        arrays = [p for p in params if p.dtype != pg.OBJECT]
        for make in (self._type_test, self._header_test):
            tests = [make(p, objects[p.name]) for p in arrays]
            if tests:
                self._else_slow(self._all(tests))
        for p in params:
            self._define(p, objects[p.name])
        tests = [test for p in params for test in self._extent_tests(p)]
        if tests:
            self._else_slow(self._all(tests))

    def _type_test(self, param: pg.Param, object_: str) -> str:
        del param
        kind = self.frame.field(object_, capi.layout().type, "ptr")
        return self.e.emit(f"icmp eq ptr {kind}, {self.frame.symbol('PyArray_Type')}")

    def _header_test(self, param: pg.Param, object_: str) -> str:
        """i1: dtype, rank, alignment, and whether it may be written if a step writes it."""
        at, e = capi.layout(), self.e
        descr = self.frame.field(object_, at.descr, "ptr")
        same = e.emit(f"icmp eq ptr {descr}, {self.frame.descr(param.dtype)}")
        nd = self.frame.field(object_, at.nd, "i32")
        rank = e.emit(f"icmp eq i32 {nd}, {param.ndim}")
        wanted = capi.ALIGNED | (capi.WRITEABLE if param.name in self._written else 0)
        flags = e.emit(f"and i32 {self.frame.field(object_, at.flags, 'i32')}, {wanted}")
        return self._all([same, rank, e.emit(f"icmp eq i32 {flags}, {wanted}")])

    @functools.cached_property
    def _written(self) -> set[str]:
        """Parameters whose storage a step changes."""
        roots = storage_roots(self.program.steps)
        return {roots.get(a, a) for step in self.program.steps for a in written(step)}

    def _extent_tests(self, param: pg.Param) -> list[str]:
        dims = self.frame.arrays[param.name].dims
        return [
            self.e.emit(f"icmp eq i64 {extent}, {known}")
            for extent, known in zip(dims, param.static, strict=True)
            if known is not None
        ]

    def _define(self, param: pg.Param, object_: str, slot: str = "") -> None:
        if param.dtype == pg.OBJECT:
            self.frame.arrays[param.name] = self.frame.passed(slot or object_)
            return
        self.frame.arrays[param.name] = self.frame.of_object(object_, param.dtype, param.ndim, slot)

    def _acquire(self) -> None:
        """Take the state block for this call. If another call has it, a function that stores
        something waits (unless it is called by itself); others take scratch slots of their own."""
        frame, f = self.frame, self.f
        slots = max(1, frame.state.slots)
        mine = frame.e.emit(f"getelementptr i64, ptr %state, i64 {frame.state.slot}")
        own = frame.stack("i64", 2 * slots)
        self.own_slots = own
        thread = frame.api("PyThread_get_thread_ident") if self.updates else "0"
        f.jump("look")
        f.start("look")
        busy = frame.word(frame.state.busy, "i64")
        free = self.e.emit(f"icmp eq i64 {busy}, 0")
        f.branch(free, "take", "taken")
        f.start("take")
        frame.set_word(frame.state.busy, "1")
        frame.set_word(frame.state.owner, thread)
        f.jump("begin")
        f.start("taken")
        if self.updates:
            owner = frame.word(frame.state.owner, "i64")
            f.branch(self.e.emit(f"icmp eq i64 {owner}, {thread}"), "alone", "wait")
            f.start("wait")
            # The owner has released the GIL for long work, or to run Python code.
            saved = frame.api("PyEval_SaveThread")
            frame.helper("th_nap", "void")
            frame.api("PyEval_RestoreThread", saved)
            f.jump("look")
        else:
            f.jump("alone")
        f.start("alone")
        for i in range(2 * slots):
            place = self.e.emit(f"getelementptr i64, ptr {own}, i64 {i}")
            self.e.do(f"store i64 0, ptr {place}, align 8")
        f.jump("begin")
        f.start("begin")
        self.e.do(f"%slots = phi ptr [ {mine}, %take ], [ {own}, %alone ]")

    def _stored_params(self) -> None:
        """Shared variables (kept alive during the call, and checked) and constants."""
        for p in self.program.params:
            if p.kind == "constant":
                object_ = self.frame.word(self.frame.state.constant(p.index))
                self._define(p, object_)
            elif p.kind == "shared":
                cell = self.frame.word(self.frame.state.cell(p.index))
                object_ = self.frame.api("PyList_GetItem", cell, "0")
                self.frame.leave_if_null(object_)
                self.frame.api("Py_IncRef", object_)
                slot = self.frame.own(object_)
                array = p.dtype != pg.OBJECT
                for make in (self._type_test, self._header_test) if array else ():
                    self._leave_unless(make(p, object_))
                self._define(p, object_, slot)
                for test in self._extent_tests(p):
                    self._leave_unless(test)

    def _leave_unless(self, good: str) -> None:
        self.frame.leave(self.e.emit(f"xor i1 {good}, true"), SLOW)

    # ------------------------------------------------------------------ results

    def _results(self) -> None:
        """Outputs first, since copying them may fail; then the updates, which cannot fail."""
        given: set[str] = set()
        found = [
            (result, self._fresh(result.array, given))
            for result in self.program.results
            if not result.inplace
        ]
        outputs = sorted((r.index, slot) for r, slot in found if r.kind == "output")
        if self.single and len(outputs) == 1:
            answer = outputs[0][1]
        else:
            made = self.frame.api("PyList_New", str(len(outputs)))
            self.frame.leave_if_null(made)
            answer = self.frame.own(made)
            for index, slot in outputs:
                self.frame.api("PyList_SetItem", made, str(index), self.frame.take(slot))
        value = self.frame.take(answer)
        for result, slot in found:
            if result.kind == "update":
                cell = self.frame.word(self.frame.state.cell(result.index))
                self.frame.api("PyList_SetItem", cell, "0", self.frame.take(slot))
        self._give_back()
        self.e.do(f"ret ptr {value}")

    def _fresh(self, name: str, given: set[str]) -> str:
        """Slot of an array object that nothing else refers to; of an object, a new reference."""
        array = self.frame.arrays[name]
        if array.dtype == pg.OBJECT:
            object_ = self.frame.object(array)
            self.frame.api("Py_IncRef", object_)
            return self.frame.own(object_)
        owned = array.object in self.frame.objects and name in self._outputs
        if owned and name not in given:
            given.add(name)
            return array.object
        return self.frame.copied(array).object

    @functools.cached_property
    def _outputs(self) -> set[str]:
        """Arrays made as outputs."""
        return {
            s.out
            for s in self.program.steps
            if isinstance(s, (pg.Alloc, pg.Reshape)) and s.place == "output"
        }

    # ------------------------------------------------------------------ ends

    def _give_back(self) -> None:
        """Drop owned references and scratch memory."""
        for slot in self.frame.objects:
            # Py_DecRef takes null.
            self.frame.api("Py_DecRef", self.e.emit(f"load ptr, ptr {slot}"))
        if self.guarded:
            own = self.e.emit(f"icmp eq ptr %slots, {self.own_slots}")
            self.f.choose(own, self._free_slots, self._release)

    def _release(self) -> None:
        self.frame.set_word(self.frame.state.owner, "0")
        self.frame.set_word(self.frame.state.busy, "0")

    def _free_slots(self) -> None:
        for i in range(self.frame.state.slots):
            place = self.e.emit(f"getelementptr i64, ptr %slots, i64 {2 * i}")
            block = self.e.emit(f"load ptr, ptr {place}")
            self.frame.helper("th_free", "void", ("ptr", block))

    def _endings(self) -> None:
        """The exits: after work was begun, and the slow path."""
        frame, e, f = self.frame, self.e, self.f
        status = frame.status
        f.start("abort")
        self._give_back()
        found = e.emit(f"load i64, ptr {status}")
        f.branch(e.emit(f"icmp sge i64 {found}, 0"), "fail", "other")
        f.start("other")
        f.branch(e.emit(f"icmp eq i64 {found}, {SLOW}"), "slow", "error")
        f.start("error")
        e.do("ret ptr null")
        f.start("slow")
        slow = frame.word(frame.state.slow)
        e.do(f"ret ptr {frame.api('PyObject_Vectorcall', slow, '%args', '%nargs', '%names')}")
        f.start("fail")
        raised = e.emit(f"icmp ne ptr {frame.api('PyErr_Occurred')}, null")
        f.branch(raised, "error", "ask")
        f.start("ask")
        self._fail(found)

    def _fail(self, number: str) -> None:
        """Return ``fail(step, *args)``."""
        frame, e = self.frame, self.e
        count = max((p.index for p in self.program.params if p.kind == "input"), default=-1) + 1
        step = frame.api("PyLong_FromLongLong", number)
        values = [step]
        for i in range(count):
            place = e.emit(f"getelementptr ptr, ptr %args, i64 {i}")
            values.append(e.emit(f"load ptr, ptr {place}"))
        args = frame.list_of(values, "ptr")
        function = frame.word(frame.state.fail)
        result = frame.api("PyObject_Vectorcall", function, args, str(len(values)), "null")
        frame.api("Py_DecRef", step)
        e.do(f"ret ptr {result}")
