"""Ways to reach people, one per file."""
