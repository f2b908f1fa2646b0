package main_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// limitSession sets the connection limit of a simulated EMQX through an agent, with
// everything that can come in between. The license is loaded by the owner of EMQX.
const limitSession = `
simpid=$!
api=http://127.0.0.1:18180/api/v1
emqx=http://127.0.0.1:18083/api/v5
call() { curl -sS --fail-with-body -H "Authorization: Bearer $(cat .cache/dev/token)" "$@"; }
commands() { sed -n 's/^ *"command": "\(.*\)"$/\1/p' | sed 's/\\"/"/g' | while IFS= read -r c; do printf '%b\n' "$c"; done; }
field() { sed -n 's/^ *"'$1'": "\{0,1\}\([^"]*[^",]\)"\{0,1\},\{0,1\}$/\1/p' | sed -n 1p; }
until_is() { n=0; until [ "$($2)" = "$1" ]; do n=$((n+1)); if [ $n -gt 120 ]; then echo "$2 is $($2), not $1:"; call $api/clusters/$id/explain; call $api/clusters/$id/agents; exit 1; fi; sleep 0.25; done; }
state() { call $api/clusters/$id 2>/dev/null | field state; }
reason() { call $api/clusters/$id 2>/dev/null | field reason; }
gone() { call -o /dev/null $api/clusters/$id 2>/dev/null && echo no || echo gone; }
available() { call $api/clusters/$id 2>/dev/null | sed -n '/"connectionLimit"/,/}/p' | field available; }
has() { curl -sS -u admin:public $emqx/license/setting | grep -o '"dynamic_max_connections": *[0-9]*' | grep -o '[0-9]*$'; }
used() { call $api/pool | field usedConnections; }
is() { echo "$1: emqx $(has), booked $(used)"; }
ask() { until_is true available; call $api/clusters/$id/connections --json "{\"connections\": $1}" | field id; }
ended() { until call "$api/operations/$1" >operation.json 2>/dev/null && grep -Eq '"phase": "(succeeded|failed|cancelled|superseded)"' operation.json; do sleep 0.1; done; echo "$(field phase <operation.json) $(field error <operation.json)$(field note <operation.json)"; }
adopt() {
	id=$(call $api/clusters --json '{"mode": "adopted", "name": "'$1'"}' | grep -o 'emqx-[0-9a-f]\{8\}' | sed -n 1p)
	call $api/clusters/$id/setup --json '{"method": "binary", "arch": "'$goarch'"}' | commands | sh >/dev/null || exit 1
	until_is running state
}
license=emqxsim-license.$(printf '{"type":"official","customer":3,"name":"Owner","limit":1000}' | base64 -w0 | tr '+/' '-_' | tr -d =)
curl -sS --fail-with-body -u admin:public $emqx/license --json '{"key": "'$license'"}' >/dev/null || exit 1
adopt plant

ended $(ask 500)
is set
call $api/clusters/$id | sed -n '/"connections": {/,/}/p' | tr -d ' \n'; echo
ended $(ask 300)
is changed

# The daemon is killed at any time while a limit is set, and goes on with it.
for n in 410 420 430; do
	op=$(ask $n)
	sleep 0.0$((RANDOM % 10)); kill -9 $pid; wait $pid 2>/dev/null
	daemon
	ended $op
	is killed
done
# EMQX hangs, the daemon is killed in mid-operation, and EMQX goes on.
kill -STOP $simpid
op=$(ask 600)
sleep 0.5; kill -9 $pid; wait $pid 2>/dev/null
daemon
n=0; until [ "$(used 2>/dev/null)" = 600 ]; do n=$((n+1)); [ $n -lt 100 ] || exit 1; sleep 0.1; done
echo "booked while it hangs"
kill -CONT $simpid
ended $op
is hung

# Whoever looks after EMQX lets nobody change it.
emqxee-agent register --read-only >/dev/null || exit 1
ended $(ask 700)
is refused
emqxee-agent register --read-only=false >/dev/null || exit 1
ended $(ask 0)
is released
ended $(ask 200)

# EMQX cannot be reached while the cluster is deleted.
kill -STOP $simpid
op=$(call -X DELETE $api/clusters/$id | field id)
until_is QuotaReleaseFailed reason
state
used
kill -CONT $simpid
until_is gone gone
ended $op
is deleted

adopt other
ended $(ask 250)
kill -STOP $simpid
call -X DELETE $api/clusters/$id >/dev/null
until_is QuotaReleaseFailed reason
call -X DELETE "$api/clusters/$id?force=true" | field note
until_is gone gone
kill -CONT $simpid
is forced
call "$api/audit?limit=5" | grep -o 'set it there by hand' | sed -n 1p
echo end
`

// TestConnectionLimit: set, changed, refused, released, failing to be released and
// forced, through a real agent; the daemon is killed in the middle of it, and booked
// is what EMQX has.
func TestConnectionLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the agent; run without -short")
	}
	t.Parallel()
	printed := onOwnHost(t, "", limitSession)
	at := 0
	for _, want := range []string{
		"succeeded \n", "set: emqx 500, booked 500\n", `"connections":{"current":0,"limit":500,"enforcedBy":"license"}`,
		"succeeded \n", "changed: emqx 300, booked 300\n",
		"succeeded \n", "killed: emqx 410, booked 410\n", "succeeded \n", "killed: emqx 420, booked 420\n",
		"succeeded \n", "killed: emqx 430, booked 430\n",
		"booked while it hangs\n", "succeeded \n", "hung: emqx 600, booked 600\n",
		"failed ", "the agent is read-only", "refused: emqx 600, booked 600\n", "succeeded \n",
		"released: emqx 25, booked 0\n", "succeeded \n",
		"abnormal\n200\n", "succeeded \n", "deleted: emqx 25, booked 0\n",
		"succeeded \n", "EMQX may keep the limit of 250 connections that was set from here; before the first change " +
			"it was 25", "forced: emqx 250, booked 0\n", "set it there by hand\n", "end\n",
	} {
		i := strings.Index(printed[at:], want)
		require.GreaterOrEqual(t, i, 0, "%q does not come after\n%s", want, printed[:at])
		at += i + len(want)
	}
}
