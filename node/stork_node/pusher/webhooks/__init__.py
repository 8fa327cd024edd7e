"""Webhooks in Pusher's form: what an app's backend is told over HTTP, and how it is signed."""
