"""
Handlers of the application that are told who comes and goes: ``@stork.on_online``, ``@stork.on_offline``.

    server's loop → webhooks.mailbox → webhooks.sending → calls (what to tell) → asking (one node) → application
"""
