"""Executes runs: one agent's work on one goal, over HTTP."""
