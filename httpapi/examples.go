package httpapi

import (
	_ "embed"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"
)

// example is a request body as clients send it. The document shows it, and tests send
// it.
type example struct {
	name string
	body any
}

// object is a JSON object.
type object map[string]any

// exampleLicense has the form of a key of EMQX 5, and opens nothing.
const exampleLicense = "MjIwMTExCjAKMTAKRXhhbXBsZQpvcHNAZXhhbXBsZS5jb20KZGVmYXVsdAoy" +
	"MDI2MDEwMQozNjUwCjEwMDAK.c2lnbmF0dXJl"

// exampleChain is a certificate for mqtt.example.com, and exampleKey its key: they were made
// for this and protect nothing.
const (
	exampleChain = `-----BEGIN CERTIFICATE-----
MIIBazCCARGgAwIBAgIBATAKBggqhkjOPQQDAjAbMRkwFwYDVQQDExBtcXR0LmV4
YW1wbGUuY29tMCAXDTk5MDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAbMRkw
FwYDVQQDExBtcXR0LmV4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD
QgAEqKGCD4FrRh7qbzqXETp9hnpYnkV4YzKtFXRE2fGYrBi8kYMOafriwTSfJk9h
38s1TpNZO8P+g4Obvg7N0lQMa6NEMEIwDgYDVR0PAQH/BAQDAgeAMBMGA1UdJQQM
MAoGCCsGAQUFBwMBMBsGA1UdEQQUMBKCEG1xdHQuZXhhbXBsZS5jb20wCgYIKoZI
zj0EAwIDSAAwRQIgDW7mXA2IHxbBimpZMKddM2sfxAQ39Selvp1glSx3/QICIQD7
/nLngafyLtr23xhvk4L/aQEuO8QSr+1/sZgkWJwwqw==
-----END CERTIFICATE-----
`
	exampleKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrW7s/glpyTwgvNdX
6gnPfKF49sbhsZMaDnKx9mfDYwKhRANCAASooYIPgWtGHupvOpcROn2GelieRXhj
Mq0VdETZ8ZisGLyRgw5p+uLBNJ8mT2HfyzVOk1k7w/6Dg5u+Ds3SVAxr
-----END PRIVATE KEY-----
`
)

// Ids in the examples, the same wherever one is shown.
const (
	exampleCluster   = "emqx-0a1b2c3d"
	exampleOperation = "op-0123456789abcdef"
	exampleProject   = "default/default"
)

// requestExamples are bodies of each operation that takes one.
var requestExamples = map[string][]example{
	"createCluster": {
		{"hosted", object{"mode": "hosted", "project": exampleProject, "name": "orders", "description": "of the shops",
			"spec": object{
				"image": "emqx-ee-5.8.9", "nodes": 3, "size": "1C1G", "connections": 1000, "power": "on",
				"target":     "default",
				"replicants": object{"nodes": 2, "size": "1C1G"},
				"network":    exampleNetwork,
				"config":     object{"mqtt.max_packet_size": "2MB"},
				"evacuation": object{"rate": 500, "deadline": 600, "onDeadline": "go-on"},
				"placement": object{
					"nodeSelector": object{"disk": "ssd"},
					"tolerations":  []object{{"key": "mqtt", "operator": "Exists", "effect": "NoSchedule"}},
				},
				"hibernation": object{
					"sleep": "0 20 * * 1-5", "wake": "0 7 * * 1-5", "timeZone": "Europe/Berlin", "keepQuota": false,
				},
				"maintenance": object{
					"windows": []object{{"start": "0 2 * * 6", "duration": "4h"}}, "timeZone": "Europe/Berlin",
				},
			}}},
		{"adopted", object{
			"mode": "adopted", "project": exampleProject, "name": "plant",
			"spec": object{"serviceAddress": "https://emqx.example.com:18083"},
		}},
	},
	"updateCluster": {{"hosted", object{
		"name": "orders", "description": "of all shops",
		"spec": object{"connections": 2000, "evacuation": object{"rate": 1000}},
	}}},
	"setupCluster": {
		{"binary", object{"method": "binary", "arch": "arm64", "life": "24h"}},
		{"kubernetes", object{"method": "kubernetes"}},
	},
	"transferCluster":    {{"transfer", object{"project": exampleProject}}},
	"scaleCluster":       {{"scale", object{"nodes": 5}}},
	"resizeCluster":      {{"resize", object{"size": "2C4G"}}},
	"connectionsCluster": {{"connections", object{"connections": 5000}}},
	"imageCluster":       {{"image", object{"image": "emqx-ee-5.8.9"}}},
	"networkCluster": {{"network", object{
		"type": "NodePort", "listeners": []object{{"protocol": "mqtt", "port": 1883}},
		"annotations": object{"example.com/team": "shops"}, "loadBalancerClass": "",
	}}},
	"settingsPutBackCluster":  {{"one setting", object{"keys": []string{"mqtt.max_packet_size"}}}},
	"settingsTakeOverCluster": {{"one setting", object{"keys": []string{"mqtt.max_packet_size"}}}},
	"takeOverUnrecorded": {{"take over", object{
		"name": "orders", "project": exampleProject, "config": object{"exhook.servers": "[]"},
	}}},

	"createImage": {{"image", object{
		"id": "emqx-ee-5.8.8", "reference": "registry.example.com/emqx/emqx-enterprise:5.8.8",
		"version": "5.8.8", "default": false,
	}}},
	"updateImage": {{"reference", object{"reference": "registry.example.com/emqx/emqx-enterprise:5.8.8-1"}}},
	"createSize": {{"size", object{
		"name": "8C16G", "cpu": object{"request": "4", "limit": "8"},
		"memory":  object{"request": "16Gi", "limit": "16Gi"},
		"storage": object{"class": "fast", "size": "80Gi"}, "default": false,
	}}},
	"updateSize": {{"storage", object{"storage": object{"class": nil, "size": "160Gi"}}}},
	"createRegistry": {{"registry", object{
		"name": "harbor", "host": "registry.example.com", "user": "puller", "password": "a secret",
	}}},
	"updateRegistry":    {{"password", object{"password": "another secret"}}},
	"createLicense":     {{"key", object{"name": "main", "format": "v5", "content": exampleLicense, "default": true}}},
	"updateLicense":     {{"key", object{"content": exampleLicense}}},
	"createCertificate": {{"pem", object{"name": "shops", "chain": exampleChain, "key": exampleKey}}},
	"updateCertificate": {{"pem", object{"chain": exampleChain, "key": exampleKey}}},
	"createLBProfile": {{"profile", object{
		"name": "large", "minConnections": 10_000, "maxConnections": 0,
		"annotations": object{"example.com/load-balancer": "large"},
	}}},
	"updateLBProfile": {{"range", object{"minConnections": 20_000, "annotations": object{"example.com/zone": "a"}}}},
	"createTarget": {{"target", object{
		"name": "plant", "description": "in the plant", "kubeconfig": "apiVersion: v1\nkind: Config\n",
	}}},
	"updateTarget":   {{"description", object{"description": "in the new plant"}}},
	"acceptPlatform": {{"rebuilt", object{"identity": "6f3ae0f3-7a3b-4b0e-8a55-0d0fd3a2b1c4"}}},
	"updatePool":     {{"limits", object{"connections": 2_000_000, "expiresAt": "2099-01-01T00:00:00Z"}}},

	"updateOrgQuota":     {{"limit", object{"connections": 500_000}}},
	"updateProjectQuota": {{"limit", object{"connections": 100_000}}},

	"createOrg":     {{"organisation", object{"name": "acme", "description": "makes everything"}}},
	"updateOrg":     {{"description", object{"description": "makes anything"}}},
	"createProject": {{"project", object{"path": "default/shops", "description": "of all shops"}}},
	"updateProject": {{"description", object{"description": "of some shops"}}},
	"createUser": {{"user", object{
		"name": "ann", "displayName": "Ann", "password": "a long password",
		"grants": []object{{"role": "project-admin", "project": exampleProject}},
	}}},
	"updateUser": {{"disable", object{"displayName": "Ann B.", "disabled": true}}},
	"createToken": {{"token", object{
		"name": "deployer", "role": "project-admin", "project": exampleProject, "expiresAt": "2099-01-01T00:00:00Z",
	}}},
	"login": {{"login", object{"name": "ann", "password": "a long password"}}},
	"signIn": {{"user", object{"name": "ann", "password": "a long password"}},
		{"token", object{"token": "ecp_0123456789abcdef"}}},
	"changePassword": {{"password", object{"currentPassword": "a long password", "password": "a longer password"}}},
}

var exampleNetwork = object{
	"type": "NodePort", "listeners": []object{{"protocol": "mqtt", "port": 1883}},
	"annotations": object{"example.com/team": "shops"},
}

// describeExamples puts the examples of requests and answers into the document.
func (a *api) describeExamples() error {
	for _, rt := range a.routes {
		if rt.body == nil {
			continue
		}
		content := rt.RequestBody.Content["application/json"]
		content.Examples = map[string]*huma.Example{}
		for i, s := range requestExamples[rt.id] {
			if i == 0 && len(requestExamples[rt.id]) > 1 { // a map has no order
				content.Extensions = map[string]any{"x-first": s.name}
			}
			content.Examples[s.name] = &huma.Example{Value: s.body}
		}
	}
	var answers map[string]json.RawMessage
	if err := json.Unmarshal(answerExamples, &answers); err != nil {
		return err
	}
	for name, v := range answers {
		a.schemas().Map()[name].Examples = []any{v}
	}
	return nil
}

// answerExamples are answers to real requests, by schema: a test makes them with
// simulated clusters.
//
//go:embed examples.json
var answerExamples []byte
