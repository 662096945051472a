"""Recordings of a real API server, and how to replay them."""
