"""The interface to any network, without torch: what is asked of it, options, names."""
