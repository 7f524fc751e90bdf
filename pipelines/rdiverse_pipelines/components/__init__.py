"""The pipeline's components, one a file: thin, self-contained functions that Kubeflow ships to its workers as source.

Each takes the run's folder and hands on a digest, so that order comes from data. Artifacts carry what the Kubeflow UI shows;
tables and weights themselves stay in the run's folder and never pass through the artifact store.
"""
