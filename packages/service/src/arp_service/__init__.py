"""What every ARP service is made of.

errors        the tree of errors and their stable codes      responses   answers, and errors as ErrorEnvelope
ids           what ids may be, and new ones                  body        bounded, strict request bodies
paging        page tokens                                    run_batch   batches of runs, item by item
door          before anything of a request is read           accept      what a client would rather have
admission     who gets in                                    peer        whose a connection is
token_file    the token that a service asks for              overlay     from the contract to what one server does
event_stream  logs followed by cursor                        sse         how their events are written
streaming     answers that come in pieces                    changed     a wake-up call
sqlite        one writer with group commit                   rows        times and checksums in rows
folder_lock   one process in a data folder                   processes   process trees and identities
info          health and version                             stopping    the steps of a stop
application   routes behind the door                         serving     Hypercorn, in this process
connection    its requests, one after the other              exchange    one request and its answer, as ASGI has them
request_parser  bytes as HTTP/1 requests, by llhttp          api_document  what the served document says
turns         one after the other, a turn of the loop each   unread_body what a refusal leaves of a body
never_called  addresses that nobody may have called          logs        structured logging
command_line  flags, environment, file, default              prepared_commands  parsed before a fork, for all forks
"""

__all__: list[str] = []
