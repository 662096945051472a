"""The daemon among real peers."""
