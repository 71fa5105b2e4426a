"""Access to the local cloud: requests must be signed with its key, in any way that AWS allows."""
