package httpapi

import (
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openecp/openecp/adopt"
	"github.com/openecp/openecp/ecp"
)

// sample is a request body as it is sent in earnest. The document shows it,
// and tests begin with it.
type sample struct {
	name string
	body any
}

// object is a JSON object.
type object map[string]any

// sampleLicence has the form of a key of EMQX 5, and opens nothing.
const sampleLicence = "MjIwMTExCjAKMTAKRXhhbXBsZQpvcHNAZXhhbXBsZS5jb20KZGVmYXVsdAoyMDI2MDEwMQozNjUwCjEwMDAK.c2lnbmF0dXJl"

// Samples of ids and times, the same wherever one is shown.
const (
	sampleCluster   = "emqx-0a1b2c3d"
	sampleAgent     = "agt-0123456789abcdef"
	sampleOperation = "op-0123456789abcdef"
	sampleProject   = "default/default"
)

var sampleTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// requestSamples are the bodies of each operation that takes one.
var requestSamples = map[string][]sample{
	"createCluster": {
		{"hosted", object{"mode": "hosted", "project": sampleProject, "name": "orders", "description": "of the shops", "spec": object{
			"image": "emqx-ee-5.8.9", "nodes": 3, "size": "1C1G", "connections": 1000, "power": "on", "target": "default",
			"network":    object{"type": "NodePort", "listeners": []object{{"protocol": "mqtt", "port": 1883}}, "annotations": object{"example.com/team": "shops"}},
			"config":     object{"mqtt.max_packet_size": "2MB"},
			"evacuation": object{"rate": 500, "deadline": 600, "onDeadline": "go-on"},
			"placement":  object{"nodeSelector": object{"disk": "ssd"}, "tolerations": []object{{"key": "mqtt", "operator": "Exists", "effect": "NoSchedule"}}},
		}}},
		{"adopted", object{"mode": "adopted", "project": sampleProject, "name": "plant", "spec": object{"serviceAddress": "https://emqx.example.com:18083"}}},
	},
	"updateCluster": {
		{"hosted", object{"name": "orders", "description": "of all shops", "spec": object{"connections": 2000, "evacuation": object{"rate": 1000}}}},
	},
	"setupCluster":       {{"binary", object{"method": "binary", "arch": "arm64", "life": "24h"}}, {"kubernetes", object{"method": "kubernetes"}}},
	"transferCluster":    {{"transfer", object{"project": sampleProject}}},
	"scaleCluster":       {{"scale", object{"nodes": 5}}},
	"resizeCluster":      {{"resize", object{"size": "2C4G"}}},
	"connectionsCluster": {{"connections", object{"connections": 5000}}},
	"imageCluster":       {{"image", object{"image": "emqx-ee-5.8.9"}}},
	"networkCluster":     {{"network", object{"type": "NodePort", "listeners": []object{{"protocol": "mqtt", "port": 1883}}, "annotations": object{"example.com/team": "shops"}, "loadBalancerClass": ""}}},

	"takeOverUnrecorded": {{"take over", object{"name": "orders", "project": sampleProject, "config": object{"exhook.servers": "[]"}}}},

	"createImage":     {{"image", object{"id": "emqx-ee-5.8.8", "reference": "registry.example.com/emqx/emqx-enterprise:5.8.8", "version": "5.8.8", "default": false}}},
	"updateImage":     {{"reference", object{"reference": "registry.example.com/emqx/emqx-enterprise:5.8.8-1"}}},
	"createSize":      {{"size", object{"name": "8C16G", "cpu": object{"request": "4", "limit": "8"}, "memory": object{"request": "16Gi", "limit": "16Gi"}, "storage": object{"class": "fast", "size": "80Gi"}, "default": false}}},
	"updateSize":      {{"storage", object{"storage": object{"class": nil, "size": "160Gi"}}}},
	"createRegistry":  {{"registry", object{"name": "harbor", "host": "registry.example.com", "user": "puller", "password": "a secret"}}},
	"updateRegistry":  {{"password", object{"password": "another secret"}}},
	"createLicense":   {{"key", object{"name": "main", "format": "v5", "content": sampleLicence, "default": true}}},
	"updateLicense":   {{"key", object{"content": sampleLicence}}},
	"createLBProfile": {{"profile", object{"name": "large", "minConnections": 10_000, "maxConnections": 0, "annotations": object{"example.com/load-balancer": "large"}}}},
	"updateLBProfile": {{"range", object{"minConnections": 20_000, "annotations": object{"example.com/zone": "a"}}}},
	"createTarget":    {{"target", object{"name": "plant", "description": "in the plant", "kubeconfig": "apiVersion: v1\nkind: Config\n"}}},
	"updateTarget":    {{"description", object{"description": "in the new plant"}}},
	"acceptPlatform":  {{"rebuilt", object{"identity": "6f3ae0f3-7a3b-4b0e-8a55-0d0fd3a2b1c4"}}},
	"updatePool":      {{"limits", object{"connections": 2_000_000, "expiresAt": "2099-01-01T00:00:00Z"}}},

	"updateOrgQuota":     {{"limit", object{"connections": 500_000}}},
	"updateProjectQuota": {{"limit", object{"connections": 100_000}}},

	"createOrg":      {{"organisation", object{"name": "acme", "description": "makes everything"}}},
	"updateOrg":      {{"description", object{"description": "makes anything"}}},
	"createProject":  {{"project", object{"path": "default/shops", "description": "of all shops"}}},
	"updateProject":  {{"description", object{"description": "of some shops"}}},
	"createUser":     {{"user", object{"name": "ann", "displayName": "Ann", "password": "a long password", "grants": []object{{"role": "project-admin", "project": sampleProject}}}}},
	"updateUser":     {{"disable", object{"displayName": "Ann B.", "disabled": true}}},
	"createToken":    {{"token", object{"name": "deployer", "role": "project-admin", "project": sampleProject, "expiresAt": "2099-01-01T00:00:00Z"}}},
	"login":          {{"login", object{"name": "ann", "password": "a long password"}}},
	"changePassword": {{"password", object{"currentPassword": "a long password", "password": "a longer password"}}},
}

// describeSamples puts the samples of requests and answers into the document.
func (a *api) describeSamples() {
	for _, op := range a.routes {
		if op.RequestBody == nil || isThrough(op) {
			continue
		}
		content := op.RequestBody.Content["application/json"]
		content.Examples = map[string]*huma.Example{}
		for i, s := range requestSamples[op.OperationID] {
			if i == 0 && len(requestSamples[op.OperationID]) > 1 { // a map has no order
				content.Extensions = map[string]any{"x-first": s.name}
			}
			content.Examples[s.name] = &huma.Example{Value: s.body}
		}
	}
	schemas := a.schemas().Map()
	for name, v := range answerSamples() {
		schemas[name].Examples = []any{v}
	}
}

// answerSamples are what answers look like, by schema.
func answerSamples() map[string]any {
	return map[string]any{
		"Cluster":   viewCluster(sampleInfo()),
		"Operation": viewOperation(sampleRunning()),
		"Setup": setupView{
			Token: "0123456789abcdef0123456789abcdef", TokenID: "reg-0123456789abcdef", ExpiresAt: sampleTime.Add(24 * time.Hour),
			URL: "https://ecp.example.com:8443", Method: adopt.MethodBinary, Arch: "arm64", Steps: []guideStepView{{
				Number: 3, Title: ecp.Label{ZH: "注册", EN: "Register"}, Text: ecp.Label{ZH: "向服务器注册。", EN: "Register with the server."},
				Command: "sudo emqxee-agent register --url https://ecp.example.com:8443 --registration-token 0123456789abcdef0123456789abcdef",
			}},
		},
		"Registration": registrationView{ID: "reg-0123456789abcdef", CreatedAt: sampleTime, CreatedBy: "ann", ExpiresAt: sampleTime.Add(24 * time.Hour), Uses: 3},
		"Agent": agentView{
			ID: sampleAgent, Node: "emqx@10.0.0.7", Version: "1.0.0", OS: "linux", Arch: "arm64", Hostname: "broker-1", RegisteredAt: sampleTime,
			Connected: true, Since: sampleTime, LastSeen: sampleTime.Add(time.Hour), Carrier: "direct", Remote: "192.0.2.7:40112",
			Reason: ecp.ReasonEMQXAuthFailed, Message: "the agent was refused by EMQX", Errors: []agentErrorView{{ecp.AgentStageNode, ecp.AgentFaultAuth, "BAD_USERNAME_OR_PWD"}},
		},
		"Plan": ecp.Plan{Command: ecp.CommandStop, From: ecp.Running, To: ecp.Stopping, Steps: []string{"objects", "nodes-gone"}, Notes: []string{"all clients are cut"}},
		"Problem": newProblem(ecp.CodeInvalid, "create cluster: the request contradicts the rules",
			fieldView{Pointer: "/spec/nodes", Detail: "is 8; 1 to 7 are allowed"}),
	}
}

func sampleRunning() ecp.Operation {
	return ecp.Operation{
		ID: sampleOperation, Cluster: sampleCluster, Project: sampleProject, Kind: ecp.OpCreate, Actor: "ann", Generation: 1,
		Phase: ecp.PhaseRunning, Steps: []ecp.Step{{Name: "objects", Done: 1, Total: 1}, {Name: "nodes", Done: 1, Total: 3}, {Name: "members", Done: 0, Total: 3}},
		Deadline: sampleTime.Add(10 * time.Minute), CreatedAt: sampleTime,
	}
}

func sampleInfo() ecp.Info {
	spec := ecp.HostedSpec{
		Image: "emqx-ee-5.8.9", Nodes: 1, Size: "1C1G", Connections: 1000, Power: ecp.PowerOn, Target: "default",
		Network: ecp.Network{Type: ecp.NodePort, Listeners: []ecp.Listener{{Protocol: ecp.MQTT, Port: 1883}}},
	}
	return ecp.Info{
		ClusterRecord: ecp.ClusterRecord{
			ID: sampleCluster, Name: "orders", Description: "of the shops", Project: sampleProject, Mode: ecp.Hosted, Creator: "ann",
			CreatedAt: sampleTime, UpdatedAt: sampleTime, Spec: ecp.Spec{Hosted: &spec}, Generation: 1, Revision: 1,
			Status: ecp.Status{State: ecp.Running, Reason: ecp.ReasonAsExpected, Since: sampleTime, Conditions: []ecp.Condition{
				{Type: ecp.CondAvailable, Status: ecp.True, Reason: ecp.ReasonAsExpected, Generation: 1, Since: sampleTime},
			}},
		},
		Version: "5.8.9", ReadyNodes: 1, Current: ecp.ConnectionsInfo{Current: 12, Limit: 1000, EnforcedBy: ecp.EnforcedByListeners},
		Nodes: []ecp.NodeInfo{{
			NodeObservation: ecp.NodeObservation{
				Ordinal: 0, Name: "emqx@" + sampleCluster + "-emqx-0", Pod: sampleCluster + "-emqx-0", Host: "worker-1", IP: "10.0.0.7",
				Ready: true, Image: "emqx/emqx-enterprise:5.8.9", Volume: "data-" + sampleCluster + "-emqx-0", Since: sampleTime,
			},
			Member: true, Version: "5.8.9", Uptime: time.Hour, Connections: 12,
		}},
		Volumes: []ecp.VolumeInfo{{Ordinal: 0, Name: "data-" + sampleCluster + "-emqx-0", Capacity: "10Gi", Wanted: "10Gi"}},
		Endpoints: ecp.Endpoints{
			Internal: ecp.InternalEndpoint{Host: sampleCluster + "-emqx." + sampleCluster + ".svc", Ports: []ecp.EndpointPort{{Protocol: ecp.MQTT, Port: 1883}}},
			External: []ecp.ExternalEndpoint{{Protocol: ecp.MQTT, Port: 31883}},
		},
		Features: ecp.Features(ecp.Hosted, "5.8.9", ecp.Capabilities{}),
	}
}
