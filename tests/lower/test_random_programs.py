"""Random graphs lowered in every way give what ``perform`` gives."""

from __future__ import annotations

import os
from typing import Any

import lower_checks
import random_graphs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("LOWER_EXAMPLES", "50"))
common = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))


@common
@given(st.data())
def test_graphs(data: Any) -> None:
    inputs, outputs, values = random_graphs.random_graph(data.draw)
    lower_checks.check(inputs, outputs, values, calls=1)


@common
@given(st.data())
def test_updates(data: Any) -> None:
    inputs, outputs, values, updates = random_graphs.random_function(data.draw)
    lower_checks.check(inputs, outputs, values, updates)


@common
@given(st.data())
def test_rewritten(data: Any) -> None:
    inputs, outputs, values, updates = random_graphs.random_function(data.draw)
    lower_checks.check(
        inputs, outputs, values, updates, calls=1, rewrite=True, natives=[True], rtol=1e-4
    )
