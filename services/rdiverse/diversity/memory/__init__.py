"""The MAP memory: everything that earlier iterations committed, run by run."""
