"""``d3viz``: a graph as an HTML page that draws it, with everything that it needs inside."""

from __future__ import annotations

import html
import json
import os
from importlib import resources
from typing import Any

from theano.d3viz.formatting import views

__all__ = ["d3viz", "d3write", "replace_patterns", "safe_json"]


def replace_patterns(x: str, replace: dict[str, str]) -> str:
    """``x`` with each key of ``replace`` replaced by its value.

    >>> replace_patterns("%% title %%", {"%% title %%": "graph"})
    'graph'
    """
    for old, new in replace.items():
        x = x.replace(old, new)
    return x


def safe_json(obj: Any) -> str:
    """JSON that may stand inside of a script element.

    >>> safe_json("</script>")
    '"\\\\u003c/script\\\\u003e"'
    """
    text = json.dumps(obj)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def d3viz(fct: Any, outfile: Any, copy_deps: bool = True, *args: Any, **kwargs: Any) -> None:
    """Write a page that shows a graph: drag to move, wheel to zoom, drag a node, search by name.

    A node's details appear under the pointer: its type, the line that wrote it, and, for a function
    that was profiled, its time. A node with a graph inside (a loop, an OpFromGraph) opens by a
    double click.

    Parameters
    ----------
    fct : compiled function, FunctionGraph, variable, Apply, or a list of variables.
    outfile : path of the page; folders on the way are made.
    copy_deps : accepted for old code: the page needs no other files.

    Raises TypeError for other objects.
    """
    del copy_deps
    found = views(fct, *args, **kwargs)
    files = resources.files("theano.d3viz")
    page = replace_patterns(
        (files / "page.html").read_text(encoding="utf-8"),
        {
            "%% TITLE %%": html.escape(os.path.basename(os.fspath(outfile))),
            "%% STILL %%": found[0]["svg"],
            "%% SCRIPT %%": (files / "page.js").read_text(encoding="utf-8"),
            "%% DATA %%": safe_json([{k: v for k, v in view.items() if k != "svg"}
                                     for view in found]),
        },
    )  # fmt: skip
    _write(page, outfile)


def d3write(fct: Any, path: Any, *args: Any, **kwargs: Any) -> None:
    """Write a graph in Graphviz's language into the file ``path``; options as for ``pydotprint``
    from ``compact`` on: ``with_ids``, ``high_contrast``, ``colorCodes``, ``max_label_size``."""
    from theano._printing.picture import drawn

    _write(drawn(fct, *args, **kwargs).dot(), path)


def _write(text: str, path: Any) -> None:
    path = os.fspath(path)
    if folder := os.path.dirname(path):
        os.makedirs(folder, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
