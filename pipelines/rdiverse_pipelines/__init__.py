"""The self-play loop as a Kubeflow pipeline, run on one machine or on a cluster."""
