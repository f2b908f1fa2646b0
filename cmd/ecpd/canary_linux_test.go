package main_test

import (
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// canarySession takes secrets along every way that there is, and then looks for them
// everywhere: token, broker's password, API secret, key and the proxy's password.
const canarySession = `
api=https://127.0.0.1:18180/api/v1
call() { curl -sS --cacert .cache/dev/tls/ca.pem -H "Authorization: Bearer $(cat .cache/dev/token)" "$@" | tee -a seen.api; }
field() { sed -n 's/^ *"'"$1"'": "\(.*\)",*$/\1/p' | sed -n 1p; }
await() { n=0; until [ "$(call $api/clusters/$id | field state)" = "$1" ]; do n=$((n+1)); if [ $n -gt 80 ]; then echo "it is not $1:"; call $api/clusters/$id/explain; cat /opt/emqxee-agent/log/agent.log; tail -n 20 seen.agent; exit 1; fi; sleep 0.5; done; echo "state $1"; }
cp "$agents/emqxee-agent-linux-$goarch" emqxee-agent
agent() { ./emqxee-agent "$@" </dev/null >>seen.agent 2>&1; code=$?; echo "agent $1 ${2-}: $code"; }
secretly() { tee secret >/dev/null; chmod 600 secret; }
CANARY_PROXY=127.0.0.1:3128 "$self" -test.run '^TestCanaryProxy$' >proxy.out 2>&1 &
n=0; until grep -q listening proxy.out; do n=$((n+1)); [ $n -lt 100 ] || exit 1; sleep 0.1; done
(while sleep 0.02; do for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline; echo; done >>seen.cmdlines 2>/dev/null; done) & sampler=$!

# Four tokens: one that is good, one that is revoked, one that will have expired, and one that nobody made.
id=$(call $api/clusters --json '{"mode": "adopted", "name": "plant"}' | grep -o 'emqx-[0-9a-f]\{8\}' | sed -n 1p)
guide() { curl -sS --fail-with-body --cacert .cache/dev/tls/ca.pem -H "Authorization: Bearer $(cat .cache/dev/token)" $api/clusters/$id/setup --json '{"method": "binary", "arch": "'$goarch'"'"${1-}"'}'; }
guide >good.json; guide >revoked.json; guide ', "life": "1m"' >expired.json; made=$(date +%s)
good=$(field token <good.json) revoked=$(field token <revoked.json) expired=$(field token <expired.json) unknown=$(printf '%032x' 3735928559)
pin=$(field caSha256 <good.json)
call -X DELETE $api/clusters/$id/registrations/$(field tokenId <revoked.json)
login() { curl -sS http://127.0.0.1:18083/api/v5/login --json '{"username": "admin", "password": "public"}' | grep -o '"token": *"[^"]*"' | cut -d'"' -f4; }
curl -sS http://127.0.0.1:18083/api/v5/api_key -H "Authorization: Bearer $(login)" --json '{"name": "k1", "desc": "", "enable": true, "expired_at": "infinity"}' >key.json
apikey=$(grep -o '"api_key": *"[^"]*"' key.json | cut -d'"' -f4) apisecret=$(grep -o '"api_secret": *"[^"]*"' key.json | cut -d'"' -f4)
[ ${#apisecret} -gt 20 ] && [ ${#good} = 32 ] && [ ${#expired} = 32 ] || { cat key.json; exit 1; }

# What fails: tokens, the proxy's password, and no proxy at all.
export EMQXEE_AGENT_PROXY=http://agent:canary-proxy-password@127.0.0.1:3128
for token in $unknown $revoked; do
	export EMQXEE_AGENT_REGISTRATION_TOKEN=$token
	agent register --url https://127.0.0.1:18180 --ca-sha256 $pin
done
export EMQXEE_AGENT_REGISTRATION_TOKEN=$good
EMQXEE_AGENT_PROXY=http://agent:canary-wrong-password@127.0.0.1:3128 agent register --url https://127.0.0.1:18180 --ca-sha256 $pin
EMQXEE_AGENT_PROXY=http://agent:canary-wrong-password@127.0.0.1:9 agent register --url https://127.0.0.1:18180 --ca-sha256 $pin
EMQXEE_AGENT_PROXY=canary-wrong-password://x agent register --url https://127.0.0.1:18180 --ca-sha256 $pin
EMQXEE_AGENT_URL="https://canary-url-password:x@127.0.0.1:18180" agent register --ca-sha256 $pin
EMQXEE_AGENT_URL="https://127.0.0.1:18180/?token=canary-url-password" agent register --ca-sha256 $pin
agent register --url https://127.0.0.1:18180 --ca-sha256 $(printf '%064d' 0)

# What works, with a password that EMQX refuses, and then with an API key.
printf 'canary-broker-password\n' | secretly
agent start
agent register --url https://127.0.0.1:18180 --ca-sha256 $pin --emqx-dashboard-username admin --emqx-dashboard-password-file secret
unset EMQXEE_AGENT_REGISTRATION_TOKEN
await abnormal
agent status; agent doctor
printf '%s\n' "$apisecret" | secretly
agent register --emqx-api-key "$apikey" --emqx-api-secret-file secret
await running
unset EMQXEE_AGENT_PROXY
key=$(field key </opt/emqxee-agent/data/identity.json)
[ ${#key} = 44 ] || exit 1
for c in "status" "status --json" "doctor" "doctor --json" "version" "restart"; do agent $c; done
await running

# An upgrade: another program is put in the place of this one.
agent install
cp emqxee-agent newer && printf 'newer' >>newer && mv newer emqxee-agent
agent install
agent restart
cmp emqxee-agent /usr/local/bin/emqxee-agent && readlink /proc/$(cat /opt/emqxee-agent/run/agent.pid)/exe | sed 's/^/upgraded: /'
await running
agent status
for path in "" /explain /agents /registrations /operations /nodes /stats /emqx/api/v5/nodes /emqx/api/v5/api_key; do call $api/clusters/$id$path >/dev/null; done
call $api/audit >/dev/null
call https://127.0.0.1:18180/metrics >/dev/null
for pid_ in $(cat /opt/emqxee-agent/run/agent.pid) $(pgrep -f 'emqxee-agent supervise') $pid; do tr '\0' '\n' </proc/$pid_/environ >>seen.environ; done
kill $sampler; wait $sampler 2>/dev/null

hex=$(printf %s "$key" | base64 -d | od -An -tx1 | tr -d ' \n')
sqlite3 "$(find .cache -name '*.db' | sed -n 1p)" .dump >seen.dump 2>/dev/null || echo "no sqlite3 here"
hash=$(printf %s "$good" | sha256sum | cut -d' ' -f1)
grep -rqa "$hash" .cache && echo "the token's hash is stored"
found() { for s in "$good" "$revoked" "$expired" "$unknown" "$apisecret" "$key" "$hex" canary-broker-password canary-proxy-password canary-wrong-password canary-url-password; do grep -rlaF -e "$s" "$@" | while read f; do echo "FOUND ${s:0:6}… in $f: $(stat -c %a "$f")"; done; done; }
found ecpd.out ecpd.err sim.out sim.err proxy.out seen.* .cache
found /opt/emqxee-agent | sort
find /opt/emqxee-agent -perm /077 | sed 's/^/OPEN /'

agent unregister
await created
while [ $(date +%s) -le $((made+60)) ]; do sleep 0.5; done
EMQXEE_AGENT_REGISTRATION_TOKEN=$expired agent register --url https://127.0.0.1:18180 --ca-sha256 $pin
grep -qi 'registration token has expired' seen.agent && echo "told that the token expired"
found /opt/emqxee-agent | sort | sed 's/FOUND/LEFT/'
call -X DELETE $api/clusters/$id >/dev/null
agent stop
agent uninstall --purge
found ecpd.out ecpd.err .cache seen.agent seen.api
echo end
`

// TestCanaries is told secrets by people and brokers, and shows that nobody else gets
// to know them: files of the agent's own for its owner alone hold what it needs, and
// the server's database the hash of the token.
func TestCanaries(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the agent; run without -short")
	}
	t.Parallel()
	printed := onOwnHost(t, "--tls-auto", canarySession)
	for _, want := range []string{"state abnormal\n", "state running\n", "the token's hash is stored\n",
		"agent unregister : 0\n", "upgraded: /usr/local/bin/emqxee-agent\n", "told that the token expired\n",
		"state created\n", "\nend\n"} {
		require.Contains(t, printed, want)
	}
	stored := map[string]string{ // what may be where
		"data/identity.json": "600", "data/broker.json": "600", "etc/agent.yaml": "600",
	}
	for line := range strings.Lines(printed) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "FOUND") {
			require.False(t, strings.HasPrefix(line, "OPEN"), line)
			continue
		}
		where, mode, _ := strings.Cut(line[strings.Index(line, " in ")+4:], ": ")
		name, ours := strings.CutPrefix(where, "/opt/emqxee-agent/")
		require.True(t, ours && stored[name] == mode, line)
	}
	require.NotContains(t, printed, "LEFT canary-broker")
	require.NotRegexp(t, `LEFT .*(identity|broker)\.json`, printed)
}

// TestCanaryProxy is the proxy of that host: a process of its own.
func TestCanaryProxy(t *testing.T) {
	address := os.Getenv("CANARY_PROXY")
	if address == "" {
		return // it is a part of TestCanaries
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	_, _ = os.Stdout.WriteString("listening\n")
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("agent:canary-proxy-password"))
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Proxy-Authorization") != want {
				w.WriteHeader(http.StatusProxyAuthRequired)
				return
			}
			far, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", r.Host)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer far.Close()
			w.WriteHeader(http.StatusOK)
			near, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer near.Close()
			var both sync.WaitGroup
			both.Go(func() { _, _ = io.Copy(far, buffered); far.Close() })
			both.Go(func() { _, _ = io.Copy(near, far); near.Close() })
			both.Wait()
		})}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}
