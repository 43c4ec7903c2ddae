"""The tests of fsrvpd. They run on real parts: `tests.lab` makes them."""
