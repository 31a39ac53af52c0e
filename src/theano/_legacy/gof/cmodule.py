"""``theano.gof.cmodule``: there are no C modules; ``theano-cache`` is about what is stored now."""


def get_module_cache(dirname=None, init_args=None):
    """There is none."""
    raise NotImplementedError(
        "No C module is ever compiled: theano.config.compiledir holds native code by the hash of "
        "its text. The command `theano-cache` lists and clears it."
    )


def gcc_version():
    """The version of the C compiler: empty, as none is used."""
    return ""


__all__ = ["gcc_version", "get_module_cache"]
