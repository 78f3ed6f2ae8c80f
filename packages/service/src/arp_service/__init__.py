"""What every ARP service is made of.

errors        the tree of errors and their stable codes      responses   answers, and errors as ErrorEnvelope
ids           what ids may be, and new ones                  body        bounded, strict request bodies
paging        page tokens                                    door, peer  who gets in
sse           event streams read by cursor                   changed     a wake-up call
sqlite        one writer with group commit                   processes   process trees and identities
info          health and version                             stopping    the two steps of a stop
application   routes behind the door                         serving     Hypercorn, in this process
unread_body   what a refusal leaves of a body
logs          structured logging                             command_line  flags, environment, file, default
"""

__all__: list[str] = []
