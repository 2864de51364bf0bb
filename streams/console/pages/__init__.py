"""The console's pages, one module each: ``routes(parts)`` gives the addresses of one."""
