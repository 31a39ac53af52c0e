"""The ground floor: dtypes, the flag table, errors, source locations."""
