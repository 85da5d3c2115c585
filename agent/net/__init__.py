"""The networks of a host: bridges that machines and routers are plugged into, and what joins them across hosts."""
