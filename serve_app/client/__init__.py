"""The typed client. It is also the package `telltale_client` (deploy/client/), so it imports httpx,
pydantic and, by relative names, itself, and nothing else of ours."""
