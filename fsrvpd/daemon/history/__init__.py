"""What happened: the sets of the last weeks, the last backup of each share, the last refusals."""
