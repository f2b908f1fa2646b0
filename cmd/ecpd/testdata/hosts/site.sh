# A site whose only way out is a proxy, which wants a user and a password.
proxy=http://fleet:canary-proxy@$GATEWAY:3128
emqx 127.0.0.1:18083
adopt site binary "$program"
ip route get 10.77.0.1 2>&1 | grep unreachable || fail "there is a way without the proxy"
mkfifo secret
( export HTTPS_PROXY=$proxy; sh guide.sh ) || fail guide
await running
agents
emqxee-agent status; emqxee-agent status --json; emqxee-agent doctor
# Another agent of the cluster in its place, with the agent's own setting, from a shell
# without a proxy. It waits for a password while the list of processes is looked at.
code 0 emqxee-agent stop
export EMQXEE_AGENT_HOME=$PWD/second
code 0 emqxee-agent start
EMQXEE_AGENT_REGISTRATION_TOKEN=$token emqxee-agent register --url $SERVER --ca-sha256 "$(sed 's/.*--ca-sha256 //' 3.sh | tail -1)" --proxy "$proxy" --emqx-dashboard-url http://127.0.0.1:18083 \
	--emqx-dashboard-username admin --emqx-dashboard-password-file secret &
register=$!
n=0; until tr '\0' ' ' </proc/$register/cmdline | grep -- '--proxy.*xxxx'; do n=$((n+1)); [ $n -le 50 ] || fail "the list of processes shows $(tr '\0' ' ' </proc/$register/cmdline)"; sleep 0.1; done
echo public >secret
wait $register || fail "register with --proxy"
n=0; until emqxee-agent status >status.out; do n=$((n+1)); [ $n -le 100 ] || { cat status.out; fail "not connected by --proxy"; }; sleep 0.1; done
echo "connected by --proxy"
emqxee-agent status; emqxee-agent status --json; cat /opt/emqxee-agent/log/agent.log second/log/agent.log; tr '\0' ' ' </proc/$(cat second/run/agent.pid)/cmdline
stat -c 'settings %a' second/etc/agent.yaml /opt/emqxee-agent/etc/agent.yaml
# The wrong password, and none.
code 1 emqxee-agent doctor --proxy "http://fleet:canary-proxy-wrong@$GATEWAY:3128"
code 1 emqxee-agent doctor --proxy "http://$GATEWAY:3128"
echo end
