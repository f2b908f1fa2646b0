# A proxy before the server ends TLS with a certificate of another authority, and
# passes HTTP/1.1 and WebSocket only.
SERVER=$FRONT ca=$TOP/front-ca.pem api=$FRONT/api/v1
emqx 127.0.0.1:18083
adopt front binary "$program"
sh guide.sh || fail guide
await running
agents
call "$api/clusters/$id/agents" | grep '"remote": "'"$ADDRESS"'"' || fail "the address is the proxy's: $(call "$api/clusters/$id/agents" | grep remote)"
code 0 emqxee-agent status
code 0 emqxee-agent doctor
code 1 emqxee-agent doctor --tunnel direct
echo end
