"""Models of requests and answers that services share: money, sources, pages, problems, code lists."""
