"""Fails when a file has 500 lines or more, or a function more than 40 statements.

python tools/check_sizes.py [FOLDER …]      by default src, tools, tests and benchmarks
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_LINES = 500
MAX_STATEMENTS = 40
FOLDERS = ("src", "tools", "tests", "benchmarks")


def statements(function: ast.AST) -> int:
    """The statements in the body of a function, nested ones and those of inner functions too."""
    count = sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1
    has_docstring = isinstance(function, ast.FunctionDef) and ast.get_docstring(function, False)
    return count - bool(has_docstring)


def complaints(path: Path) -> Iterator[str]:
    """One line for each thing that is too large in a file."""
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines >= MAX_LINES:
        yield f"{path}:1: {lines} lines; a file stays below {MAX_LINES}: divide it"
    for node in ast.walk(ast.parse(text, str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = statements(node)
            if size > MAX_STATEMENTS:
                yield (
                    f"{path}:{node.lineno}: {node.name} has {size} statements; "
                    f"a function has at most {MAX_STATEMENTS}"
                )


def main(folders: list[str]) -> int:
    """The exit status: 1 if anything is too large."""
    roots = [Path(folder) for folder in folders or FOLDERS]
    files = sorted(path for root in roots for path in root.rglob("*.py"))
    found = [line for path in files for line in complaints(path)]
    print("\n".join(found) or f"{len(files)} files: all sizes are fine")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
