"""Live bars over WebSocket: `/v1/stream`."""
