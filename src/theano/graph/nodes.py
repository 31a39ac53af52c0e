"""Type, Variable, Constant, Apply and Op: the four things a graph is made of.

A Variable has a Type and is either a root (no owner) or output ``index`` of an Apply, which joins
an Op to its input variables. Variables and Applys compare by identity; Ops and Types by value.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from theano.core import trace
from theano.core.config import config
from theano.core.errors import MethodNotDefined

_auto_names = itertools.count()


class Scratchpad:
    """A free-form note pad (``variable.tag``): ``trace``, ``test_value`` and users' own notes."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __repr__(self) -> str:
        return f"scratchpad({self.__dict__})"

    def __update__(self, other: Scratchpad) -> Scratchpad:
        self.__dict__.update(other.__dict__)
        return self


class Type:
    """What values a variable may hold. Subclasses define ``filter`` and equality.

    ``holds_values``: a value may hold others that can be changed, as a list holds arrays.
    """

    name: str | None = None
    holds_values = True

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """``value`` as a valid value of this type, or TypeError."""
        raise MethodNotDefined("filter", type(self), type(self).__name__)

    def filter_variable(self, other: Any, allow_convert: bool = True) -> Variable:
        """``other`` as a variable of this type, or TypeError."""
        if not isinstance(other, Variable):
            other = self.constant(other)
        if other.type != self and allow_convert:
            converted = self.convert_variable(other)
            if converted is not None:
                return converted
        if other.type != self:
            raise TypeError(
                f"Cannot convert Type {other.type} (of Variable {other}) into Type {self}. "
                f"You can try to manually convert {other} into a {self}."
            )
        return cast(Variable, other)

    def convert_variable(self, variable: Variable) -> Variable | None:
        """A variable of this type that holds the same value, or None."""
        return None

    def is_valid_value(self, value: Any) -> bool:
        """Whether ``filter`` accepts ``value`` as it is."""
        try:
            self.filter(value, strict=True)
        except (TypeError, ValueError):
            return False
        return True

    def constant(self, value: Any, name: str | None = None) -> Constant:
        """A constant of this type."""
        return Constant(self, self.filter(value), name)

    def make_constant(self, value: Any, name: str | None = None) -> Constant:
        """A constant of this type (Theano's name)."""
        return self.constant(value, name)

    def make_variable(self, name: str | None = None) -> Variable:
        """A new root variable of this type."""
        return Variable(self, name=name)

    def __call__(self, name: str | None = None) -> Variable:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"The name of a variable is a str, not {name!r}.")
        variable = self.make_variable(name)
        variable.tag.trace = trace.capture()
        return variable

    def values_eq(self, a: Any, b: Any) -> bool:
        """Whether two valid values are equal."""
        return bool(a == b)

    def values_eq_approx(self, a: Any, b: Any) -> bool:
        """Whether two valid values are equal up to rounding."""
        return self.values_eq(a, b)

    def __ne__(self, other: object) -> bool:
        return not self == other


class Variable:
    """A node of the graph that stands for a value. Users may set attributes on it."""

    type: Any
    owner: Apply | None

    def __init__(
        self,
        type: Any,
        owner: Apply | None = None,
        index: int | None = None,
        name: str | None = None,
    ) -> None:
        self.type = type
        self.owner = owner
        self.index = index
        self.name = name
        self.tag = Scratchpad()
        self.auto_name = f"auto_{next(_auto_names)}"

    def clone(self) -> Variable:
        """A root variable of the same type and name."""
        other = self.__class__(self.type, None, None, self.name)
        other.tag = copy.copy(self.tag)
        return other

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        if self.owner is not None:
            op = self.owner.op
            if len(self.owner.outputs) == 1 or self.index == op.default_output:
                return f"{op}.{self.index}" if self.index else f"{op}.0"
            return f"{op}.{self.index}"
        return f"<{self.type}>"

    def __repr__(self) -> str:
        text = str(self)
        if not config.print_test_value:
            return text
        value = getattr(self.tag, "test_value", None)
        return text if value is None else f"{text}\n{value!r}"

    def eval(self, inputs_to_values: Mapping[Any, Any] | None = None) -> Any:
        """The value: compiles (once for each set of inputs) and runs.

        ``inputs_to_values`` maps variables of the graph to values; it may be left out where the
        expression depends on constants and shared variables only.
        """
        from theano.graph.registry import apply

        return apply("eval", self, inputs_to_values)

    def get_parents(self) -> list[Apply]:
        """The Apply that computes this variable, as a list of at most one."""
        return [] if self.owner is None else [self.owner]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _reduced(self, self.owner) or super().__reduce_ex__(protocol)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for private in ("_fn_cache", "fgraph", "clients"):
            state.pop(private, None)
        if not config.pickle_test_value and hasattr(self.tag, "test_value"):
            state["tag"] = copy.copy(self.tag)
            del state["tag"].test_value
        return state


class Constant(Variable):
    """A variable whose value is known: ``data``."""

    def __init__(self, type: Any, data: Any, name: str | None = None) -> None:
        super().__init__(type, None, None, name)
        self.data = data

    def clone(self) -> Constant:
        """A constant of the same type, data and name."""
        other = self.__class__(self.type, self.data, self.name)
        other.tag = copy.copy(self.tag)
        return other

    def equals(self, other: Any) -> bool:
        """Whether ``other`` is a constant of the same type and value."""
        return isinstance(other, Constant) and self.signature() == other.signature()

    def signature(self) -> Any:
        """A hashable value that equal constants share."""
        return (self.type, _exact(self.data))

    @property
    def value(self) -> Any:
        """The data (read only)."""
        return self.data

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        text = str(self.data)
        if len(text) > 20:
            text = f"{text[:10]}...{text[-10:]}"
        return f"{type(self).__name__}{{{text}}}"


def _exact(data: Any) -> Any:
    """A value that only equal data of the same class share: 1, 1.0 and True are not the same."""
    if type(data) is tuple:
        return tuple(map(_exact, data))
    # 0.0 and -0.0 are equal.
    return (type(data), repr(data) if isinstance(data, (float, complex)) else data)


class Apply:
    """One application of ``op`` to ``inputs``; it owns its ``outputs``."""

    __slots__ = ("__dict__", "__weakref__", "inputs", "op", "outputs", "tag")

    def __init__(self, op: Op, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        self.op: Any = op
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.tag = Scratchpad()
        for index, output in enumerate(self.outputs):
            if output.owner is not None and output.owner is not self:
                raise ValueError(f"output {index} of {op} already belongs to another Apply")
            output.owner = self
            output.index = index

    @property
    def nin(self) -> int:
        """Number of inputs."""
        return len(self.inputs)

    @property
    def nout(self) -> int:
        """Number of outputs."""
        return len(self.outputs)

    @property
    def out(self) -> Variable:
        """Alias of ``default_output()``."""
        return self.default_output()

    def default_output(self) -> Variable:
        """The only output, or the one that the op declares as its default."""
        index = self.op.default_output
        if index is None:
            if len(self.outputs) != 1:
                raise AttributeError(f"{self.op} has {len(self.outputs)} outputs and no default")
            index = 0
        output: Variable = self.outputs[index]
        return output

    def clone(self) -> Apply:
        """The same application with fresh output variables."""
        return self.clone_with_new_inputs(self.inputs)

    def clone_with_new_inputs(self, inputs: Sequence[Variable], strict: bool = True) -> Apply:
        """The op applied to other inputs; types are inferred anew where they differ."""
        same = all(map(_same_knowledge, inputs, self.inputs))
        if not same:
            inputs = [
                old.type.filter_variable(new) if strict and new.type != old.type else new
                for new, old in zip(inputs, self.inputs, strict=True)
            ]
            same = all(map(_same_knowledge, inputs, self.inputs))
        if same:
            node = Apply(self.op, inputs, [copy_output(out) for out in self.outputs])
        else:
            node = self.op.make_node(*inputs)
            for new, old in zip(node.outputs, self.outputs, strict=True):
                new.name = old.name
                new.tag = copy.copy(old.tag)
        node.tag = copy.copy(self.tag)
        return node

    def __str__(self) -> str:
        return f"{self.op}({', '.join(map(str, self.inputs))})"

    __repr__ = __str__

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _reduced(self, self) or super().__reduce_ex__(protocol)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state.pop("_uses", None)
        state.pop("fgraph", None)
        state.update(op=self.op, inputs=self.inputs, outputs=self.outputs, tag=self.tag)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for key, value in state.items():
            setattr(self, key, value)


def _reduced(part: Any, owner: Apply | None) -> Any:
    """How a part of a deep graph is pickled; None where Python's own way will do."""
    if owner is None:
        return None
    from theano.graph import pickles

    first = pickles.below(owner)
    return (pickles.blank, (type(part), first), part.__getstate__()) if first else None


def _same_knowledge(new: Variable, old: Variable) -> bool:
    """Equal types that know the same extents: types of results inferred from one hold for both."""
    same: bool = new.type == old.type
    return same and getattr(new.type, "shape", None) == getattr(old.type, "shape", None)


def copy_output(variable: Variable) -> Variable:
    """An unowned variable of the same class, type, name and tag."""
    other = variable.type.make_variable(variable.name)
    other.tag = copy.copy(variable.tag)
    return cast(Variable, other)


class Op:
    """What an Apply computes. Users extend this class.

    A subclass defines ``make_node`` (or ``itypes`` and ``otypes``) and ``perform``; optionally
    ``grad`` or ``L_op``, ``R_op``, ``infer_shape``, ``connection_pattern``. ``__props__`` names the
    attributes that make two ops equal.
    """

    __props__: ClassVar[tuple[str, ...] | None] = None
    default_output: int | None = None
    view_map: Mapping[int, list[int]] = {}
    destroy_map: Mapping[int, list[int]] = {}
    itypes: Sequence[Any]
    otypes: Sequence[Any]

    def make_node(self, *inputs: Any) -> Apply:
        """Check and convert ``inputs``, infer the output types."""
        if not hasattr(self, "itypes") or not hasattr(self, "otypes"):
            raise NotImplementedError(
                f"{type(self).__name__} defines neither make_node nor itypes and otypes"
            )
        if len(inputs) != len(self.itypes):
            raise ValueError(
                f"{self} takes {len(self.itypes)} inputs ({self.itypes}), got {len(inputs)}"
            )
        variables = [kind.filter_variable(x) for kind, x in zip(self.itypes, inputs, strict=True)]
        return Apply(self, variables, [kind.make_variable() for kind in self.otypes])

    def __call__(
        self, *inputs: Any, name: str | None = None, return_list: bool = False, **kwargs: Any
    ) -> Any:
        node = self.make_node(*inputs, **kwargs)
        if name is not None:
            node.outputs[0].name = name
        record = trace.capture()
        for output in node.outputs:
            output.tag.trace = record
        if config.compute_test_value != "off":
            compute_test_value(node)
        if self.default_output is not None:
            result: Any = node.outputs[self.default_output]
            return [result] if return_list else result
        if return_list or len(node.outputs) != 1:
            return list(node.outputs)
        return node.outputs[0]

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
                params: Any = None) -> None:  # fmt: skip
        """Compute: put output ``i`` into ``output_storage[i][0]``."""
        if type(self).make_thunk is Op.make_thunk:
            raise MethodNotDefined("perform", type(self), type(self).__name__)
        from theano.graph.thunks import run

        run(node, inputs, output_storage)

    def make_thunk(self, node: Apply, storage_map: Any, compute_map: Any = None,
                   no_recycling: Any = (), impl: str | None = None) -> Any:  # fmt: skip
        """A function without arguments that runs ``node``; ``storage_map[v]`` is ``v``'s cell.

        Ops of old define it in place of ``perform``; it is called for each run of the node then.
        """
        from theano.graph.thunks import of_perform

        self.prepare_node(node, storage_map, compute_map, impl)
        return of_perform(node, storage_map, compute_map)

    def prepare_node(self, node: Apply, storage_map: Any, compute_map: Any, impl: Any) -> None:
        """Called before a thunk is made; does nothing unless a subclass says so."""

    def L_op(self, inputs: Sequence[Variable], outputs: Sequence[Variable],
             output_grads: Sequence[Variable]) -> Sequence[Any]:  # fmt: skip
        """Gradients with respect to ``inputs``, given those with respect to ``outputs``."""
        return self.grad(inputs, output_grads)

    def grad(self, inputs: Sequence[Variable], output_grads: Sequence[Variable]) -> Sequence[Any]:
        """Gradients with respect to ``inputs`` (the older protocol)."""
        raise NotImplementedError(f"{self} has no gradient: define grad or L_op")

    def R_op(self, inputs: Sequence[Variable], eval_points: Sequence[Any]) -> Sequence[Any]:
        """Outputs' directional derivatives along ``eval_points`` (None: a zero direction)."""
        raise NotImplementedError(f"{self} has no R-operator: define R_op")

    def get_params(self, node: Apply) -> Any:
        """The last argument of ``perform`` of an op with a ``params_type``: fields from here."""
        kind = getattr(self, "params_type", None)
        if not hasattr(kind, "get_params"):
            raise MethodNotDefined("get_params", type(self), type(self).__name__)
        return kind.get_params(self)  # type: ignore[union-attr]

    def do_constant_folding(self, node: Apply) -> bool:
        """Whether this op may be computed at compile time when its inputs are constants."""
        return True

    # value semantics ---------------------------------------------------------------------------

    def _props(self) -> tuple[Any, ...] | None:
        names = self.__props__
        return None if names is None else tuple(getattr(self, name) for name in names)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other) or self.__props__ is None:
            return False
        return self._props() == other._props()

    def __hash__(self) -> int:
        props = self._props()
        return id(self) if props is None else hash((type(self), props))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __str__(self) -> str:
        name = getattr(self, "name", None)
        if isinstance(name, str):
            return name
        props = self.__props__
        if not props:
            return type(self).__name__
        return f"{type(self).__name__}{{{', '.join(f'{p}={getattr(self, p)!r}' for p in props)}}}"

    def __repr__(self) -> str:
        return str(self)


def compute_test_value(node: Apply) -> None:
    """Run ``node`` on its inputs' test values, as ``config.compute_test_value`` says."""
    from theano.graph import testvalue

    testvalue.compute(node)
