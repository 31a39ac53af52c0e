"""Correlations over two axes: filters are not flipped."""

from theano.ops.conv_corr import CorrMM, CorrMM_gradInputs, CorrMM_gradWeights

__all__ = ["CorrMM", "CorrMM_gradInputs", "CorrMM_gradWeights"]
