"""A trained policy in use: load it and act, serve it over the network, export it as one file."""
