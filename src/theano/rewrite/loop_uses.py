"""What of a loop's results is used, and how: fewer rows kept, sums over steps done better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from theano.graph import traverse
from theano.graph.nodes import Apply, Variable
from theano.graph.tensor_type import TensorType
from theano.ops import index_spec as spec
from theano.ops import sizes
from theano.ops.extents import sizes_of
from theano.ops.row_shapes import extents_outside
from theano.rewrite.build import constant_value, owner_of, t
from theano.rewrite.loop_parts import Built, Map, Memo, Parts, State, sweep

Clients = Mapping[Variable, Sequence[tuple[Any, int]]]


def keep_what_is_used(outputs: Sequence[Variable], blockers: Sequence[Variable]) -> list[Variable]:
    """``outputs`` with each loop reduced to what is used of it."""
    clients = traverse.clients(list(outputs))

    def change(node: Apply, current: Apply) -> Memo:
        pairs = zip(node.outputs, current.outputs, strict=True)
        uses = {new: clients.get(old, ()) for old, new in pairs}
        return _Reduction(current, uses, clients).run()

    return sweep(outputs, blockers, change)


class _Reduction:
    """One loop, reduced."""

    def __init__(self, node: Apply, uses: Clients, clients: Clients) -> None:
        self.node, self.uses, self.clients = node, uses, clients
        self.parts = Parts.of(node)
        self.later: list[Any] = []  # functions of the new loop that say what replaces what
        self.changed = False
        self.pinned: set[int] = set()  # ids of states and maps whose rows are all needed

    def run(self) -> Memo:
        """Old variables (the loop's outputs, and results of what used them) to new ones."""
        for result in list(self.parts.maps):
            self._map(result)
        self._drop_states()
        for state in self.parts.states:
            whole = state.number is None or state.keep is not None or id(state) in self.pinned
            if not whole:
                self._keep(state)
        if not self.changed:
            return {}
        built = self.parts.build()
        memo = built.replaced()
        for finish in self.later:
            memo.update(finish(built))
        return memo

    # collected results --------------------------------------------------------------------------

    def _map(self, result: Map) -> None:
        assert result.number is not None
        output = self.node.outputs[result.number]
        users = self.uses.get(output, ())
        if id(result) in self.pinned:
            return
        if not users:
            self.parts.maps.remove(result)
            self.changed = True
        elif all(_sums_steps(user) for user, _ in users):
            sums = [user for user, _ in users]
            if self._as_product(result, sums) or self._as_running_sum(result, sums):
                self.parts.maps.remove(result)
                self.changed = True

    def _as_product(self, result: Map, sums: list[Apply]) -> bool:
        """Σ_t a_t b_t of matrices -> one product of the a_t side by side and the b_t stacked."""
        node = owner_of(result.value, "Dot")
        if node is None or any(v.type.ndim != 2 for v in node.inputs):
            return False
        if any(v.type.dtype != node.outputs[0].type.dtype for v in node.inputs):
            return False
        if any(v.owner is None and v not in self.parts.changing() for v in node.inputs):
            return False
        if not self._rows_agree(node.inputs):
            return False
        left, right = (self._collected(v) for v in node.inputs)
        backwards = any(self._comes_backwards(v) for v in node.inputs)

        def finish(built: Built) -> Memo:
            total = t.dot(left(built, True, backwards), right(built, False, backwards))
            return {s.outputs[0]: _as_type_of(total, s.outputs[0]) for s in sums}

        self.later.append(finish)
        return True

    def _rows_agree(self, values: Sequence[Variable]) -> bool:
        """Whether the extents of ``values`` are the same in all steps."""
        step = self.parts.build().node
        shapes = [_extents(v) for v in step.inputs]
        return all(row is not None for row in extents_outside(step.op, values, step, shapes))

    def _comes_backwards(self, value: Variable) -> bool:
        """Whether ``value`` is of a sequence whose rows come from the last to the first.

        The order of a sum is free, so the rows are better taken as they lie.
        """
        if self.parts.condition is not None:
            return False
        turned = owner_of(value, "DimShuffle")
        inner = value if turned is None else turned.inputs[0]
        return any(s.inner is inner and _reversed(s.outer) is not None for s in self.parts.seqs)

    def _collected(self, value: Variable) -> Callable[[Built, bool, bool], Any]:
        """A function of the new loop that gives ``value`` of all steps as one matrix: below each
        other, or (second argument True) side by side; from the last step to the first, or not."""
        turned = owner_of(value, "DimShuffle")
        if turned is not None and tuple(turned.op.new_order) == (1, 0):
            stack = self._stack(turned.inputs[0])
            return lambda built, wide, back: _matrix(stack(built, back), not wide).T
        stack = self._stack(value)
        return lambda built, wide, back: _matrix(stack(built, back), wide)

    def _stack(self, value: Variable) -> Callable[[Built, bool], Any]:
        """A function of the new loop that gives ``value`` of all steps, stacked; with True from the
        last step to the first."""
        for link in self.parts.seqs:
            if link.inner is value:
                return lambda built, back: _rows_of(link.outer, built.node, back)
        for state in self.parts.states:
            if state.new is value and state.keep is None:
                self.pinned.add(id(state))
                return lambda built, back: _turned(built.of_state(state), back)
        result = next((m for m in self.parts.maps if m.value is value), None)
        if result is None:
            result = Map(value, None)
            self.parts.maps.append(result)
        self.pinned.add(id(result))
        return lambda built, back: _turned(built.of_map(result), back)

    def _as_running_sum(self, result: Map, sums: list[Apply]) -> bool:
        """A result that is only summed -> a state that the step adds to."""
        node = self.node
        rows = node.op.row_shapes(node, [_extents(v) for v in node.inputs])
        assert result.number is not None
        row = rows[result.number]
        dtypes = {s.op.acc_dtype or s.outputs[0].type.dtype for s in sums}
        if row is None or len(dtypes) != 1 or not isinstance(result.value.type, TensorType):
            return False
        (dtype,) = dtypes
        zero = t.constant(0, dtype=dtype)
        start = t.alloc(zero, 1, *row)
        kind = TensorType(dtype, shape=tuple(1 if s == 1 else None for s in
                                             result.value.type.shape))  # fmt: skip
        inner = kind()
        term = result.value if result.value.type.dtype == dtype else t.cast(result.value, dtype)
        new = kind.filter_variable(t.add(inner, term))
        state = State((-1,), [inner], start, new, 1, None)
        self.parts.states.append(state)

        def finish(built: Built) -> Memo:
            total = built.of_state(state)[0]
            return {s.outputs[0]: _as_type_of(total, s.outputs[0]) for s in sums}

        self.later.append(finish)
        return True

    # states -------------------------------------------------------------------------------------

    def _drop_states(self) -> None:
        """States that nobody reads, the loop itself included, go."""
        while True:
            for state in self.parts.states:
                if state.number is None or self.uses.get(self.node.outputs[state.number]):
                    continue
                place = next(i for i, s in enumerate(self.parts.states) if s is state)
                others = self.parts.results()
                del others[place]
                if not set(traverse.ancestors(others, self.parts.inputs())) & set(state.inner):
                    self.parts.states = [s for s in self.parts.states if s is not state]
                    self.changed = True
                    break
            else:
                return

    def _keep(self, state: State) -> None:
        """If only the last rows of a state are taken, no others are kept."""
        assert state.number is not None
        output = self.node.outputs[state.number]
        takes: list[tuple[Apply, Any]] = []
        needed = 1
        for user, _ in self.uses.get(output, ()):
            found = self._taken(user, output, state)
            if found is None:
                return
            takes += found
        if self.parts.condition is not None and any(count > 1 for _, (count, _) in takes):
            return
        for _, (count, inside) in takes:
            needed = max(needed, count)
            if inside:
                self.parts.at_least = max(self.parts.at_least, count)
        state.keep = needed
        self.changed = True

        def finish(built: Built) -> Memo:
            kept = built.of_state(state)
            return {user.outputs[0]: _again(user, kept) for user, _ in takes}

        self.later.append(finish)

    def _taken(self, user: Any, output: Variable, state: State) -> Any:
        """[(Subtensor node, (rows from the end, whether the loop must make them))], or None."""
        if isinstance(user, Apply) and type(user.op).__name__ == "Subtensor":
            rows = _last_rows(user)
            return [(user, (rows, True))] if rows is not None and not _is_slice(user) else None
        if not isinstance(user, Apply) or type(user.op).__name__ != "Join":
            return None
        axis, *parts = user.inputs
        old = self.node.inputs[self.node.op.form.outer_state + (state.number or 0)]
        if constant_value(axis) != 0 or len(parts) != 2:
            return None
        if not _same_start(parts[0], old) or self.clients.get(user.outputs[0]) is None:
            return None
        takes = []
        for above, _ in self.clients[user.outputs[0]]:
            ok = isinstance(above, Apply) and type(above.op).__name__ == "Subtensor"
            rows = _last_rows(above) if ok else None
            if rows is None or rows > -min(state.taps):
                return None
            takes.append((above, (rows, False)))
        return takes


def _matrix(stack: Any, wide: bool) -> Any:
    """A stack of matrices as one: all below each other, or all side by side."""
    steps, rows, columns = sizes_of(stack)
    if not wide:
        return t.reshape(stack, sizes.vector([sizes.mul(steps, rows), columns]), ndim=2)
    beside = t.dimshuffle(stack, 1, 0, 2)
    return t.reshape(beside, sizes.vector([rows, sizes.mul(steps, columns)]), ndim=2)


def _turned(stack: Any, back: bool) -> Any:
    return stack[::-1] if back else stack


def _rows_of(sequence: Any, loop: Apply, back: bool) -> Any:
    """The rows of a sequence that a loop's steps take, from the last to the first or not."""
    count = loop.outputs[-1]
    base = _reversed(sequence)
    if not back or base is None:
        return _turned(sequence[:count], back)
    return base[sizes.sub(sizes_of(base)[0], count) :]


def _reversed(sequence: Any) -> Any:
    """What a sequence is from the last row to the first; None if it is not known to be."""
    node = owner_of(sequence, "Subtensor")
    if node is None:
        return None
    entries = spec.unpack(node.op.idx_list, node.inputs[1:])
    if not isinstance(entries[0], slice) or not all(map(spec.is_full, entries[1:])):
        return None
    start, stop, step = spec.parts(entries[0])
    whole = start is None and stop is None and step is not None and sizes.known(step) == -1
    return node.inputs[0] if whole else None


def _same_start(a: Variable, b: Variable) -> bool:
    return a is b or traverse.equal_graphs([a], [b])


def _sums_steps(user: Any) -> bool:
    if not isinstance(user, Apply):
        return False
    return type(user.op).__name__ == "Sum" and tuple(user.op.axis or ()) == (0,)


def _extents(variable: Variable) -> Any:
    return sizes_of(variable) if isinstance(variable.type, TensorType) else None


def _as_type_of(value: Any, old: Any) -> Any:
    value = value if value.type.dtype == old.type.dtype else t.cast(value, old.type.dtype)
    return old.type.filter_variable(value)


def _first_index(node: Apply) -> Any:
    return spec.unpack(node.op.idx_list, node.inputs[1:])[0]


def _is_slice(node: Apply) -> bool:
    return isinstance(_first_index(node), slice)


def _last_rows(node: Apply) -> int | None:
    """How many rows from the end a Subtensor reaches back to; None if it may take others."""
    entry = _first_index(node)
    if isinstance(entry, slice):
        start, stop, step = spec.parts(entry)
        known = None if start is None else sizes.known(start)
        if stop is not None or (step is not None and sizes.known(step) != 1):
            return None
    else:
        known = sizes.known(entry)
    return -known if known is not None and known < 0 else None


def _again(user: Apply, kept: Variable) -> Variable:
    """The same part of the rows that were kept."""
    result: Variable = user.op.make_node(kept, *user.inputs[1:]).outputs[0]
    old = user.outputs[0]
    return result if result.type == old.type else old.type.filter_variable(result)
