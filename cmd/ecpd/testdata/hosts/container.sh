. "$here/inside.sh"
emqx 127.0.0.1:18083
adopt container container "$program"
inside "$(cat guide.sh)" || fail guide
await running
agents
inside 'cd /opt/emqx/data/emqxee-agent && ./emqxee-agent status' || fail status
[ "$(stat -c %u /opt/emqx/data/emqxee-agent/data/identity.json)" = 1000 ] || fail "the identity is not EMQX's user's"

# The container is gone, with all of its processes, and another has the volume: step 2 again.
kill -9 $(pgrep -u 1000 --ns $$ --nslist net emqxee-agent)
inside "$(cat 2.sh)" || fail "step 2 again"
n=0; until inside 'cd /opt/emqx/data/emqxee-agent && ./emqxee-agent status' >status.out 2>&1; do n=$((n+1)); [ $n -le 100 ] || { cat status.out; fail "not back"; }; sleep 0.1; done
agents
echo end
