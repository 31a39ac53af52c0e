"""Graphs as interactive pages: ``theano.d3viz.d3viz(f, "graph.html")``, one file, no network.

>>> import pathlib, tempfile, theano, theano.tensor as T
>>> import theano.d3viz as d3v
>>> x = T.dmatrix("x")
>>> with tempfile.TemporaryDirectory() as folder:
...     path = pathlib.Path(folder, "graph.html")
...     d3v.d3viz(T.exp(x) + 1, path)
...     "Elemwise{exp" in path.read_text(encoding="utf-8")
True
"""

from theano.d3viz import formatting
from theano.d3viz.d3viz import d3viz, d3write, replace_patterns, safe_json

has_requirements = True

__all__ = ["d3viz", "d3write", "formatting", "has_requirements", "replace_patterns", "safe_json"]
