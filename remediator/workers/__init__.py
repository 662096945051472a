"""What moves things on: consumers of the streams, the performer of steps, the courier, the timekeeper."""
