"""Rewriting: graph to graph. ``pipeline.optimize`` runs the passes; ``engine`` explains how."""
