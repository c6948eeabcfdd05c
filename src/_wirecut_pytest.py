"""The pytest plugin; beside the package so that loading it loads nothing else."""
