"""Who may use the local cloud: whoever signs with its key, in any of the ways in which AWS lets a request be signed."""
