"""``http`` and ``feeds`` of config.json: rules for joins and subscriptions without Python, beside app.py or alone."""
