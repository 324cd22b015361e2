"""What every process needs: settings, logs, the context of a request, an HTTP client and a server."""
