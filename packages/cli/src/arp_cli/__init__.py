"""arpctl: submit runs, watch them, and look after a daemon from the terminal."""
