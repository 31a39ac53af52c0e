"""The text of a profile: tables per class, op, unit of work and line; memory; compilation."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from theano.compile.profile_rows import NOWHERE, Row, by_line
from theano.core.config import config
from theano.graph.nodes import Apply


def summary(profile: Any, n_ops: int | None = None, n_apply: int | None = None) -> str:
    """All of it."""
    n_ops = config.profiling.n_ops if n_ops is None else n_ops
    n_apply = config.profiling.n_apply if n_apply is None else n_apply
    rows = profile.rows()
    width = config.profiling.output_line_width
    lines = chain(
        _head(profile, rows),
        _grouped("Class", rows, lambda row: row.kind, n_ops),
        _grouped("Ops", rows, lambda row: row.op, n_ops),
        _applies(profile, rows, n_apply),
        _lines(rows, n_ops),
        _memory(profile, rows, n_apply),
        _rewriting(profile, n_ops) if config.profile_optimizer else (),
        _graphs(rows) if config.profiling.debugprint else (),
    )
    return "\n".join(line[:width] for line in lines)


def totals(rows: Sequence[Row], key: Callable[[Row], str]) -> dict[str, float]:
    """Seconds by ``key``, the longest first."""
    found: dict[str, float] = {}
    for row in rows:
        found[key(row)] = found.get(key(row), 0.0) + row.seconds
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _head(profile: Any, rows: Sequence[Row]) -> list[str]:
    calls, seconds = profile.fct_callcount, profile.fct_call_time
    inside = sum(row.seconds for row in rows)
    lines = [
        "Function profiling",
        "==================",
        f"  Message: {profile.message}",
        f"  Time in {calls} calls to Function.__call__: {seconds:e}s",
        f"  Time per call: {seconds / calls if calls else 0.0:e}s",
    ]
    if rows:
        lines.append(
            f"  Time in steps: {inside:e}s ({_percent(inside, seconds)}); the rest is checking "
            "and returning values"
        )
    lines += [
        f"  Total compile time: {profile.compile_time:e}s",
        f"    Rewriting: {profile.optimizer_time:e}s",
        *(f"      {name}: {seconds:e}s" for name, seconds in profile.passes.items()),
        f"    Lowering to a program: {profile.lowering_time:e}s",
        f"    Code generation and linking: {profile.linker_time:e}s",
    ]
    return lines


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "0.0%"


def _table(title: str, head: str, body: Sequence[str], hidden: int, rest: float) -> list[str]:
    lines = ["", title, "-" * len(title), head, *body]
    if hidden > 0:
        lines.append(f"   … (remaining {hidden} rows: {rest:.3e}s)")
    return lines


def _grouped(title: str, rows: Sequence[Row], key: Callable[[Row], str], most: int) -> list[str]:
    if not rows:
        return []
    whole = sum(row.seconds for row in rows)
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    order = sorted(found.items(), key=lambda item: -sum(row.seconds for row in item[1]))
    body, sofar = [], 0.0
    for name, members in order[:most]:
        seconds, calls = sum(r.seconds for r in members), sum(r.calls for r in members)
        sofar += seconds
        times = _times(seconds, sofar, whole, calls)
        moved = _rate(sum(r.bytes for r in members), seconds)
        body.append(_cells(*times, str(len(members)), *moved, name))
    head = _cells(*_HEAD, "<#apply>", *_HEAD_RATE, f"<{'Op' if title == 'Ops' else title} name>")
    return _table(title, head, body, len(order) - most, whole - sofar)


_WIDTHS = (8, 7, 10, 10, 8, 8, 8, 10)
_HEAD = ("<% time>", "<sum %>", "<time>", "<per call>", "<#calls>")
_HEAD_RATE = ("<moved>", "<rate>")


def _cells(*cells: str) -> str:
    """One line of a table: cells aligned to the right, the last one as it is."""
    aligned = [f"{cell:>{width}s}" for cell, width in zip(cells, _WIDTHS, strict=False)]
    return " ".join(["", *aligned[: len(cells) - 1], "", cells[-1]])


def _times(seconds: float, sofar: float, whole: float, calls: int) -> tuple[str, ...]:
    return (
        _percent(seconds, whole), _percent(sofar, whole), f"{seconds:.3e}s",
        f"{seconds / calls:.2e}s", str(calls),
    )  # fmt: skip


def _rate(size: int, seconds: float) -> tuple[str, str]:
    return _size(size), f"{size / seconds / 1e9:.1f} GB/s" if size and seconds else ""


def _size(size: int) -> str:
    value = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def _applies(profile: Any, rows: Sequence[Row], most: int) -> list[str]:
    if not rows:
        return []
    whole = sum(row.seconds for row in rows)
    order = sorted(enumerate(rows), key=lambda item: -item[1].seconds)
    body, sofar = [], 0.0
    for index, row in order[:most]:
        sofar += row.seconds
        inside = "  inside a loop or branch" if row.depth else ""
        times = _times(row.seconds, sofar, whole, row.calls)
        name = f"{_node_text(row)}  [{', '.join(row.what)}]{inside}"
        body.append(_cells(*times, str(index), *_rate(row.bytes, row.seconds), name))
    head = _cells(*_HEAD, "<id>", *_HEAD_RATE, "<Apply name> [kernel or function]")
    return _table("Apply", head, body, len(order) - most, whole - sofar)


def _node_text(row: Row) -> str:
    if not row.nodes:
        return "copy of a result"
    text = str(row.nodes[0]) if len(row.nodes) == 1 else row.op
    return text if len(text) <= 120 else f"{text[:117]}..."


def _lines(rows: Sequence[Row], most: int) -> list[str]:
    if not rows:
        return []
    whole = sum(row.seconds for row in rows)
    order = sorted(by_line(rows).items(), key=lambda item: -item[1][0])
    body, sofar = [], 0.0
    for place, (seconds, count) in order[:most]:
        sofar += seconds
        where = "(made by rewriting or at the end of a call)"
        if place != NOWHERE:
            source = linecache.getline(place.filename, place.lineno).strip()
            where = f"{place.filename}:{place.lineno} in {place.function}:  {source}"
        times = _times(seconds, sofar, whole, 1)[:3]
        body.append(_cells(*times, str(count), where))
    head = _cells(*_HEAD[:3], "<#nodes>", "<line>")
    title = "Lines of your code (what is fused counts in equal parts)"
    return _table(title, head, body, len(order) - most, whole - sofar)


def _memory(profile: Any, rows: Sequence[Row], most: int) -> list[str]:
    found = profile.memory()
    if not rows or not found:
        return []
    peak = found["outputs"] + found["scratch"] + found["python"]
    lines = [
        "",
        "Memory (largest call)",
        "---------------------",
        f"  Results that are returned or stored: {_size(found['outputs'])}",
        f"  Scratch memory, used again: {_size(found['scratch'])}",
        f"  Results of Python steps: {_size(found['python'])}",
        f"  At most at once: {_size(peak)} (all results added: {_size(found['unshared'])})",
    ]
    if config.profile_memory:
        least = config.profiling.min_memory_size
        large = sorted((r for r in rows if r.made >= least), key=lambda r: -r.made)
        lines.append("  <bytes>    <Apply outputs>")
        lines += [f"  {_size(row.made):>9s}  {_node_text(row)}" for row in large[:most]]
        lines.append(f"   … (results below {least} bytes and {max(0, len(large) - most)} more)")
    return lines


def _rewriting(profile: Any, most: int) -> list[str]:
    lines = ["", "Rewriting", "---------", "  <#uses>  <rule>"]
    order = sorted(profile.rules.items(), key=lambda item: -item[1])
    return lines + [f"  {count:>7d}  {name}" for name, count in order[:most]]


def _graphs(rows: Sequence[Row]) -> list[str]:
    """The nodes, each with its inputs."""
    nodes: dict[Apply, None] = dict.fromkeys(node for row in rows for node in row.nodes)
    return ["", "Nodes", "-----", *(f"  {node}" for node in nodes)]
