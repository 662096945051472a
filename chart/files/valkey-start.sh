# Who may ask what is made from the mounted password, of which only the digest stands in a file or an argument.
set -eu
umask 077
config=${CONFIG:-/etc/valkey} run=${RUN:-/run/valkey} data=${DATA:-/data}
digest=$(tr -d '\r\n' <"${PASSWORD_FILE:-/etc/valkey-secrets/password}" | sha256sum | cut -d' ' -f1)
cat >"$run/users.acl" <<ACL
user default off
user remediator on #$digest ~{PREFIX}:* resetchannels -@all +client|setname +del +eval +evalsha +exists +get +hdel +hget +hincrby +hmget +hset +hsetnx +incr +lrange +ltrim +mget +persist +pexpire +pexpireat +ping +rpush +sadd +scard +set +sismember +srem +sscan +time +xack +xadd +xautoclaim +xclaim +xdel +xgroup|create +xlen +xpending +xrange +xreadgroup +xrevrange +zadd +zcard +zcount +zincrby +zpopmin +zrange +zrangebyscore +zrem +zremrangebyscore +zrevrange +zrevrangebyscore +zscore +command|info +config|get +info
ACL
exec valkey-server "$config/valkey.conf" --aclfile "$run/users.acl" --dir "$data" "$@"
