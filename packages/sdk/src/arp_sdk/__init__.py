"""Clients for any ARP Standard v1 daemon, runtime or tool registry."""
