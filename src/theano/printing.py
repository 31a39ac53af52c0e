"""Showing graphs: formulas (pp), trees (debugprint), pictures (pydotprint), values (Print)."""

from theano._printing.describe import (
    debugprint,
    hex_digest,
    min_informative_str,
    position_independent_str,
    var_descriptor,
)
from theano._printing.layout import Picture
from theano._printing.picture import pydotprint
from theano._printing.pretty import (
    DefaultPrinter,
    FunctionPrinter,
    IgnorePrinter,
    LeafPrinter,
    MemberPrinter,
    OperatorPrinter,
    PatternPrinter,
    PPrinter,
    PrinterState,
    pp,
    pprint,
)
from theano.ops.misc import Print

pydot_imported = False
pydot_imported_msg = "pydot is not needed: pydotprint draws SVG itself"

__all__ = [
    "DefaultPrinter",
    "FunctionPrinter",
    "IgnorePrinter",
    "LeafPrinter",
    "MemberPrinter",
    "OperatorPrinter",
    "PPrinter",
    "PatternPrinter",
    "Picture",
    "Print",
    "PrinterState",
    "debugprint",
    "hex_digest",
    "min_informative_str",
    "position_independent_str",
    "pp",
    "pprint",
    "pydotprint",
    "var_descriptor",
]
