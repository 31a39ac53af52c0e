"""``theano.gof.vm``."""

from theano.compile.linkers import named

VM_Linker = named("cvm")


class VM:
    """What ran a graph once."""

    def __init__(self, *args, **kwargs):
        raise NotImplementedError(
            "There are no virtual machines: a function is native code. `VM_Linker()`, or the name "
            "of a linker in a Mode, says how a graph is to be run."
        )


CVM = Loop = LoopGC = Stack = VM

__all__ = ["CVM", "VM", "Loop", "LoopGC", "Stack", "VM_Linker"]
