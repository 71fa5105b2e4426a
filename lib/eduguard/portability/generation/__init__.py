"""Make up schools: the same arguments give the same bytes, and the faces are nobody's."""
