"""A run on one machine: the servers as child processes on loopback, the pipeline on Kubeflow's local runner."""
