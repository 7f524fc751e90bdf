"""Renders the chart: manifests for kustomize, rules for promtool, tables for the docs. `python -m manifests.rendering`."""
