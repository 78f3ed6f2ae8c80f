"""Wire types of ARP Standard v1, generated from its JSON Schemas."""
