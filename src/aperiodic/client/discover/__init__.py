"""What there is, before anything is fetched: words of the catalog, coverage, symbols, and the size of a request."""
