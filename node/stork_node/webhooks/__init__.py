"""
Webhooks: the publish server tells a backend over HTTP who came and who went (docs/webhooks.md).

    server's loop → feeding → mailbox → sending (one thread for each webhook) → reading, posting → stored
"""
