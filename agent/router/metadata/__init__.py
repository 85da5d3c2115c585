"""What machines are told of themselves over HTTP: metadata, user data, keys, and once their password.

One process serves all routers of a host. It has no rights: the agent makes the listening sockets in the namespaces of
the routers and hands them over, and the process sees nothing of the host but the files that are made for guests.
"""
