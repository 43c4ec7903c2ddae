"""Writers: applications that hold still for the moment of the snapshots, as VSS's writers do."""
