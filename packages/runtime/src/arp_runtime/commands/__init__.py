"""The commands of `arp-runtime`, one a module."""
