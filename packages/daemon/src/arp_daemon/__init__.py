"""Keeps a pool of runtime instances, queues and routes runs, records every one durably."""
