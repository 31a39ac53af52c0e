"""Old import paths, mirrored: this folder is on the ``__path__`` of the package.

Files here only import, or adapt in a few lines; nothing outside imports them.
"""
