"""Questions to the application, and its answers."""
