"""The store on Redis or Valkey, 6.2 or newer. ``store.RedisStore`` is the way in."""
