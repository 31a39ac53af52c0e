"""``theano.gof.toolbox``: features of a FunctionGraph."""

from theano.graph.features import (
    AlreadyThere,
    BadOptimization,
    Bookkeeper,
    Feature,
    GetCheckpoint,
    History,
    LambdExtract,
    NodeFinder,
    NoOutputFromInplace,
    PreserveNames,
    PreserveVariableAttributes,
    PrintListener,
    ReplacementDidntRemovedError,
    ReplaceValidate,
    Validator,
)

from .graph import is_same_graph

__all__ = [
    "AlreadyThere", "BadOptimization", "Bookkeeper", "Feature", "GetCheckpoint", "History",
    "LambdExtract", "NoOutputFromInplace", "NodeFinder", "PreserveNames",
    "PreserveVariableAttributes", "PrintListener", "ReplaceValidate",
    "ReplacementDidntRemovedError", "Validator", "is_same_graph",
]  # fmt: skip
