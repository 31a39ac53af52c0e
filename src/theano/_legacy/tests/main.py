"""``theano.test``, ``theano.disable_log_handler``."""

import logging

theano_logger = logging.getLogger("theano")
logging_default_handler = logging.NullHandler()


def test(*args, **kwargs):
    """The tests are no part of what is installed."""
    raise NotImplementedError(
        "The tests are in Theano's repository, not in the installed package: `make test` runs them."
    )


def disable_log_handler(logger=theano_logger, handler=logging_default_handler):
    """Take a handler from a logger: without any, Python prints warnings on stderr."""
    logger.removeHandler(handler)


__all__ = ["disable_log_handler", "logging_default_handler", "test", "theano_logger"]
