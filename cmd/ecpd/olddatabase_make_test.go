package main_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/openecp/openecp/emqxsim"
	"github.com/openecp/openecp/internal/agent"
	"github.com/openecp/openecp/internal/processtest"
)

// makeDatabase runs a daemon, does a bit of everything with it, and keeps in folder what
// is then in its data directory.
func makeDatabase(t *testing.T, folder string) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.MkdirAll(data, 0o700))
	const key = "fixture:b25lIGtleSBmb3IgYSBmaXh0dXJlLCAzMiBieXRlcyE=\n"
	require.NoError(t, os.WriteFile(filepath.Join(data, "secrets.key"), []byte(key), 0o600))
	programs := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(programs, "emqxee-agent-linux-amd64"),
		[]byte("\x7fELF: guides tell its sum"), 0o755))

	d := dev(t, data, "--agents-dir", programs)
	d.makeTenants(t)
	d.makeCatalog(t)
	known := d.makeLogins(t)
	lost := d.makeHosted(t)
	d.makeAdopted(t)
	code, _ := d.Terminate(t)
	require.Zero(t, code)
	require.NoError(t, os.Remove(filepath.Join(data, "sim", lost+".json")),
		"somebody removes what is there of a cluster")

	d = dev(t, data)
	d.reaches(t, lost, "abnormal")
	var begun cluster
	d.call(t, "POST", "/api/v1/clusters", hostedAs("default/default", "begun", `"nodes":3,"connections":1000`), &begun,
		202)
	processtest.Eventually(t, 10*time.Second, func() (bool, string) {
		_, err := os.Stat(filepath.Join(data, "sim", begun.ID+".json"))
		return err == nil, fmt.Sprint(err)
	})
	made := time.Now()
	d.Kill() // in the middle of a creation
	keepDatabase(t, data, folder, made, known)
}

func (d *daemon) makeTenants(t *testing.T) {
	t.Helper()
	d.call(t, "POST", "/api/v1/orgs", `{"name":"acme","description":"makes everything"}`, nil, 201)
	for _, path := range []string{"default/shops", "acme/plant", "acme/left"} {
		d.call(t, "POST", "/api/v1/projects", `{"path":"`+path+`","description":"a project"}`, nil, 201)
	}
	d.call(t, "DELETE", "/api/v1/projects/acme/left", "", nil, 204)
	d.makeOnce(t)
	d.call(t, "PATCH", "/api/v1/orgs/acme/quota", `{"connections":50000}`, nil, 200)
	d.call(t, "PATCH", "/api/v1/projects/default/shops/quota", `{"connections":100000}`, nil, 200)
	d.call(t, "PATCH", "/api/v1/pool", `{"connections":2000000,"expiresAt":"2099-01-01T00:00:00Z"}`, nil, 200)
}

// makeOnce makes something with an idempotency key, however often it is called.
func (d *daemon) makeOnce(t *testing.T) {
	t.Helper()
	a := visit(t, d.http, "POST", d.url+"/api/v1/projects", `{"path":"acme/once","description":"made once"}`,
		"Authorization", "Bearer "+d.token, "Content-Type", "application/json", "Idempotency-Key", "fixture")
	require.Equal(t, 201, a.status, "%s", a.body)
}

func (d *daemon) makeCatalog(t *testing.T) {
	t.Helper()
	license := emqxsim.LicenseKey(emqxsim.License{
		Customer: "Owner", CustomerType: emqxsim.LargeCustomer, Limit: 1_000_000,
		Start: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), Expiry: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	for path, body := range map[string]string{
		"registries":         `{"name":"harbor","host":"registry.example.com","user":"puller","password":"a secret"}`,
		"images":             `{"id":"own","version":"5.8.8","reference":"registry.example.com/emqx/emqx-enterprise:5.8.8"}`,
		"sizes":              `{"name":"8C16G","cpu":{"request":"4","limit":"8"},"memory":{"request":"16Gi","limit":"16Gi"},"storage":{"class":"fast","size":"80Gi"}}`,
		"emqx-licenses":      `{"name":"main","format":"v5","default":true,"content":"` + license + `"}`,
		"lb-profiles":        `{"name":"large","annotations":{"example.com/load-balancer":"large"},"minConnections":10000,"maxConnections":0}`,
		"kubernetes-targets": `{"name":"plant","description":"in the plant","kubeconfig":"apiVersion: v1\nkind: Config\n"}`,
	} {
		d.call(t, "POST", "/api/v1/"+path, body, nil, 201)
	}
}

// logins are what the test may come in with.
type logins struct {
	Token, Session, User, Password string
}

func (d *daemon) makeLogins(t *testing.T) logins {
	t.Helper()
	known := logins{User: "ann", Password: "a long password"}
	d.call(t, "POST", "/api/v1/users",
		`{"name":"ann","displayName":"Ann","password":"a long password","grants":[{"role":"project-admin","project":"default/shops"},{"role":"user","project":"acme/plant"}]}`, nil, 201)
	d.call(t, "POST", "/api/v1/users",
		`{"name":"boss","password":"a longer password","grants":[{"role":"org-admin","org":"acme"}]}`, nil, 201)
	d.call(t, "POST", "/api/v1/users",
		`{"name":"former","password":"another password","grants":[{"role":"user","project":"acme/plant"}]}`, nil, 201)
	d.call(t, "PATCH", "/api/v1/users/former", `{"disabled":true}`, nil, 200)
	var made struct{ Token string }
	d.call(t, "POST", "/api/v1/tokens",
		`{"name":"deployer","role":"project-admin","project":"default/shops","expiresAt":"2099-01-01T00:00:00Z"}`, &made, 201)
	known.Token = made.Token
	d.call(t, "POST", "/api/v1/login", `{"name":"ann","password":"a wrong password"}`, nil, 401)
	d.call(t, "POST", "/api/v1/login", `{"name":"ann","password":"a long password"}`, &made, 200)
	known.Session = made.Token

	reader := d.asUser(t)
	reader.call(t, "POST", "/api/v1/images",
		`{"id":"mine","version":"5.8.8","reference":"registry.example.com/mine:5.8.8"}`, nil, 403)
	return known
}

func hostedAs(project, name, spec string) string {
	return fmt.Sprintf(`{"mode":"hosted","project":%q,"name":%q,"description":"of the fixture","spec":{%s}}`, project,
		name, spec)
}

// makeHosted makes hosted clusters in several states, with operations that ended in
// every way, and returns the one that is to be lost.
func (d *daemon) makeHosted(t *testing.T) (lost string) {
	t.Helper()
	made := map[string]string{}
	for name, body := range map[string]string{
		"orders": hostedAs("default/shops", "orders",
			`"nodes":2,"connections":1000,"config":{"mqtt.max_packet_size":"2MB","exhook.servers":"[]"},`+
				`"network":{"type":"NodePort","annotations":{"example.com/team":"shops"},"listeners":[{"protocol":"mqtt","port":1883}]},`+
				`"evacuation":{"rate":1000,"deadline":300,"onDeadline":"stop"},"placement":{"nodeSelector":{"disk":"ssd"},"tolerations":[{"key":"mqtt","operator":"Exists","effect":"NoSchedule"}]}`),
		"older":   hostedAs("default/default", "older", `"image":"emqx-ee-4.4.24","nodes":1,"connections":10`),
		"large":   hostedAs("acme/plant", "large", `"nodes":1,"connections":20000,"network":{"type":"LoadBalancer"}`),
		"resting": hostedAs("default/default", "resting", `"nodes":1,"connections":100`),
		"moved":   hostedAs("default/default", "moved", `"nodes":1,"connections":100`),
		"gone":    hostedAs("default/shops", "gone", `"nodes":1,"connections":100`),
		"lost":    hostedAs("default/default", "lost", `"nodes":1,"connections":100`),
	} {
		var c cluster
		d.call(t, "POST", "/api/v1/clusters", body, &c, 202)
		made[name] = c.ID
	}
	for _, id := range made {
		d.reaches(t, id, "running")
	}
	at := func(name, command string) string { return "/api/v1/clusters/" + made[name] + command }
	d.operation(t, "POST", at("orders", "/scale"), `{"nodes":3}`)
	d.operation(t, "POST", at("resting", "/stop"), "")
	d.call(t, "POST", at("moved", "/transfer"), `{"project":"default/shops"}`, nil, 200)
	d.call(t, "PATCH", at("moved", ""), `{"description":"it has moved"}`, nil, 200)

	var op struct{ ID string }
	d.call(t, "POST", at("older", "/scale"), `{"nodes":3}`, &op, 202)
	d.call(t, "POST", "/api/v1/operations/"+op.ID+"/cancel", "", nil, 200, 202)
	d.reaches(t, made["older"], "running")
	d.call(t, "POST", at("large", "/stop"), "", nil, 202)
	d.operation(t, "POST", at("large", "/start"), "") // it takes over from the stop
	d.reaches(t, made["large"], "running")
	d.call(t, "DELETE", at("gone", ""), "", nil, 202)
	d.goes(t, made["gone"])
	return made["lost"]
}

// makeAdopted adopts one EMQX through an agent, which tells of its past, and one that no
// agent came from.
func (d *daemon) makeAdopted(t *testing.T) {
	t.Helper()
	emqx := emqxsim.NewCluster(
		emqxsim.ClusterConfig{License: &emqxsim.License{CustomerType: emqxsim.BusinessCriticalCustomer, Limit: 1000,
			Expiry: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)}})
	node, other := emqx.Join("emqx@10.0.0.1"), emqx.Join("emqx@10.0.0.2")
	server := httptest.NewServer(node.Dashboard())
	t.Cleanup(server.Close)
	adopting := &tunnelled{daemon: d}
	id := adopting.adopt(t, "adopted",
		agent.BrokerSettings{DashboardURL: server.URL, APIURL: server.URL, Username: "admin", Password: "public"})
	d.operation(t, "POST", "/api/v1/clusters/"+id+"/connections", `{"connections":500}`)
	d.call(t, "PATCH", "/api/v1/clusters/"+id, `{"spec":{"serviceAddress":"https://emqx.example.com:18083"}}`, nil, 200,
		202)
	node.RaiseAlarm("too_many_processes", "process usage is high", nil)
	other.Kill()
	processtest.Eventually(t, time.Minute, func() (bool, string) {
		seen := fmt.Sprint(d.history(t, id))
		return strings.Contains(seen, "too_many_processes") && strings.Contains(seen, "member"), seen
	})

	var waiting struct{ ID string }
	d.call(t, "POST", "/api/v1/clusters", `{"mode":"adopted","name":"waiting","project":"acme/plant"}`, &waiting, 201)
	d.call(t, "POST", "/api/v1/clusters/"+waiting.ID+"/setup", `{"method":"binary","arch":"amd64"}`, nil, 201)
}
