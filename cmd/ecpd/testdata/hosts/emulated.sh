# The programs for other machines, by an emulator, which cannot start what the program
# itself starts: hence run.
emqx 127.0.0.1:18083
adopt "$NAME" binary "$NAME"
sh 1.sh || fail download
export EMQXEE_AGENT_HOME=$PWD/home
agent() { "$emulator" ./emqxee-agent "$@"; }
emulator=qemu-$NAME; [ "$NAME" != arm64 ] || emulator=qemu-aarch64
code 0 agent version
( exec "$emulator" ./emqxee-agent run ) & running=$!
n=0; until [ -S home/run/agent.sock ]; do n=$((n+1)); [ $n -le 300 ] || fail "the agent does not run"; sleep 0.1; done
EMQXEE_AGENT_REGISTRATION_TOKEN=$token code 0 agent register --url $SERVER --ca-sha256 "$(sed 's/.*--ca-sha256 //' 3.sh | tail -1)"
await running
agents
code 0 agent doctor
code 0 agent status
kill $running && wait $running || fail "it ended with $?"
echo end
