"""``theano.sandbox.cuda`` is gone since Theano 1.0: importing it says so."""

raise ImportError(
    "theano.sandbox.cuda, the old GPU back-end, was removed in Theano 1.0. Devices are chosen by "
    "the flag `device`: device=cuda, device=cuda0, device=opencl0:0."
)
