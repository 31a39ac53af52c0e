"""Kernel IR: loop nests over scalar code, written once and spelled by every backend."""
