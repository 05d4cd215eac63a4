"""The interface to any network, without torch: protocols, options and names."""
