"""Ways of taking snapshots; each fulfils `protocol.ports.Provider`."""
