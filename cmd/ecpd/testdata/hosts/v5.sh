# The guide for hosts, pasted; then what a person does with an agent where no systemd is.
emqx 0.0.0.0:18083
closed 18083
adopt v5 binary "$program"
sh guide.sh || fail guide
await running
agents
code 0 emqxee-agent status
code 0 emqxee-agent stop
code 3 emqxee-agent status
code 0 emqxee-agent stop
code 0 emqxee-agent start
code 0 emqxee-agent restart
n=0; until emqxee-agent status >status.out; do n=$((n+1)); [ $n -le 100 ] || { cat status.out; fail "not connected after a restart"; }; sleep 0.1; done
agents
code 0 emqxee-agent unregister
await created
code 3 emqxee-agent status
code 0 emqxee-agent uninstall --purge
[ -z "$(ls /opt /usr/local/bin | grep emqxee)" ] || fail "something is left"
echo end
