"""The virtual router of a network: one document in, packets and a status out."""
