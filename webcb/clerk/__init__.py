"""The clerk: one process for what is neither a page nor a call: generating accounts, sending mails and webhooks."""
