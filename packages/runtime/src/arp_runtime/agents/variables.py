"""The environment variables that pass between the runtime and who starts it, or whom it starts."""

NONCE_VARIABLE = "ARP_INSTANCE_NONCE"
"""A launcher sets this to know its instance again over HTTP."""

RUN_VARIABLE = "ARP_RUN_ID"
"""Whose run a command works on."""

TOOLS_VARIABLE = "ARP_TOOLS_FD"
"""The descriptor through which a command calls tools."""

ARTIFACTS_VARIABLE = "ARP_ARTIFACTS_DIR"
"""Where the artifacts of runs go: each run's in a folder of its id."""
