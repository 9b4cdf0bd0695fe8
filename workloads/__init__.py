"""The tasks a scenario can ask for: short, seeded, calibrated. In an installed wheel: ``bench.workloads``."""
