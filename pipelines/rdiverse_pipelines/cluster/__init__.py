"""A run on a cluster: its servers as KServe InferenceServices, its trainers as PyTorchJobs."""
