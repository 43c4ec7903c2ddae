"""The wheels that this machine cannot build and run by itself."""
