"""All cases of this project's own workloads, by name."""

from __future__ import annotations

from collections.abc import Mapping

import workloads
import workloads_nn

CASES: Mapping[str, workloads.Case] = {**workloads.CASES, **workloads_nn.CASES}
