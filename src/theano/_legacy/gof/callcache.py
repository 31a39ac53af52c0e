"""``theano.gof.callcache``."""

import pickle


class CallCache:
    """Results of calls by key, kept in a file if one is named."""

    def __init__(self, filename=None):
        self.filename, self.cache = filename, {}
        try:
            with open(filename or "", "rb") as file:
                self.cache = pickle.load(file)
        except OSError:
            pass

    def persist(self, filename=None):
        with open(filename or self.filename, "wb") as file:
            pickle.dump(self.cache, file)


def _call(self, fn, args=(), key=None):
    key = (fn, tuple(args)) if key is None else key
    if key not in self.cache:
        self.cache[key] = fn(*args)
    return self.cache[key]


CallCache.call = _call

__all__ = ["CallCache"]
