"""Settings, logs, the context of a request, the HTTP client and the server of every process."""
