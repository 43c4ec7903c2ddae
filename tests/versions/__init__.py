"""The wheel on other releases of Debian: `make test-versions`, which needs their archive."""
