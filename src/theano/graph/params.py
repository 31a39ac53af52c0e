"""ParamsType: what an op hands to its ``perform`` besides the inputs, as an object of fields."""

from __future__ import annotations

from typing import Any

from theano.graph.nodes import Type


class Params(dict[str, Any]):
    """Values of the fields of a ParamsType, as attributes and as keys."""

    def __init__(self, params_type: ParamsType, **values: Any) -> None:
        missing = set(params_type.fields) - set(values)
        if missing:
            raise TypeError(f"Params: no value for the fields {sorted(missing)}")
        super().__init__({name: values[name] for name in params_type.fields})
        self.params_type = params_type

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"Params has no field {name!r}") from None

    def __hash__(self) -> int:  # type: ignore[override]
        return hash((type(self), self.params_type))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Params)
            and self.params_type == other.params_type
            and self.params_type.values_eq(self, other)
        )


class ParamsType(Type):
    """The type of an op's parameters: ``params_type = ParamsType(axis=int64, scale=dscalar_type)``.

    Each field has a type, whose ``filter`` checks it. An op that declares one, and has attributes
    of these names, gets a Params as the last argument of ``perform``.

    >>> import theano.tensor as T
    >>> kind = ParamsType(scale=T.dscalar)
    >>> float(kind.get_params(scale=2.0).scale)
    2.0
    """

    def __init__(self, **fields: Any) -> None:
        if not fields:
            raise ValueError("ParamsType: at least one field is needed")
        for name, kind in fields.items():
            if not isinstance(kind, Type):
                raise TypeError(f"ParamsType: the field {name} needs a Type, got {kind!r}")
        self.fields = tuple(sorted(fields))
        self.types = tuple(fields[name] for name in self.fields)

    def get_field(self, name: str) -> Any:
        """The name itself; ValueError if there is no such field."""
        self.fields.index(name)
        return name

    def get_type(self, name: str) -> Any:
        """The type of a field; ValueError if there is none of that name."""
        return self.types[self.fields.index(name)]

    def get_params(self, *objects: Any, **values: Any) -> Params:
        """Params made of ``values``, and of attributes of ``objects`` where a value is missing."""
        for name in self.fields:
            source = next((o for o in objects if name not in values and hasattr(o, name)), None)
            if source is not None:
                values[name] = getattr(source, name)
        made: Params = self.filter(Params(self, **values))
        return made

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """Params whose fields fit their types; TypeError otherwise."""
        if strict and not isinstance(value, Params):
            raise TypeError(f"Params were expected, got {type(value).__name__}")
        return Params(
            self,
            **{
                name: kind.filter(
                    value[name] if isinstance(value, dict) else getattr(value, name),
                    strict=strict, allow_downcast=allow_downcast,
                )
                for name, kind in zip(self.fields, self.types, strict=True)
            },
        )  # fmt: skip

    def values_eq(self, a: Any, b: Any) -> bool:
        """Whether all fields are equal."""
        return all(t.values_eq(a[n], b[n]) for n, t in zip(self.fields, self.types, strict=True))

    def values_eq_approx(self, a: Any, b: Any) -> bool:
        """Whether all fields are nearly equal."""
        return all(
            t.values_eq_approx(a[n], b[n]) for n, t in zip(self.fields, self.types, strict=True)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParamsType) and (self.fields, self.types) == (
            other.fields, other.types)  # fmt: skip

    def __hash__(self) -> int:
        return hash((type(self), self.fields, self.types))

    def __str__(self) -> str:
        pairs = zip(self.fields, self.types, strict=True)
        return f"ParamsType<{', '.join(f'{name}:{kind}' for name, kind in pairs)}>"

    __repr__ = __str__
