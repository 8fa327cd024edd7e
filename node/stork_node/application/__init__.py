"""The declarations of an application (``Stork``), and the values that its handlers get and return."""
