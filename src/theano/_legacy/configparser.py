"""``theano.configparser``: flags and how to add them."""

from theano.core.config import (
    AddConfigVar,
    change_flags,
    config,
    fetch_val_for_key,
    get_config_hash,
)
from theano.core.errors import TheanoConfigWarning
from theano.core.flags import BoolParam, EnumStr, FloatParam, IntParam, StrParam

_config_var_list = list(config.flags())
THEANO_FLAGS_DICT = config._given

__all__ = [
    "THEANO_FLAGS_DICT", "AddConfigVar", "BoolParam", "EnumStr", "FloatParam", "IntParam",
    "StrParam", "TheanoConfigWarning", "change_flags", "config", "fetch_val_for_key",
    "get_config_hash",
]  # fmt: skip
