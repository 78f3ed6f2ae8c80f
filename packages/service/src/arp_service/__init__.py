"""What every ARP service is made of: errors, the door, event streams, storage, processes, serving."""
