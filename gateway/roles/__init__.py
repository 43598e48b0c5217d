"""The roles of a process, put together: the gateway, the relay, and both in one."""
