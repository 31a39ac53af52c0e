"""Backends: each turns a lowered program into running code; they import no graph code."""
