package main

import (
	"bytes"
	"slices"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
)

// kind is a kind of thing that is listed. What can be made, changed and removed by the
// same commands as its like has a plural.
type kind struct {
	name    string   // in manifests and events; empty if it is in neither
	words   []string // how the command line calls it; the first one is shown
	short   string   // what it is
	path    string   // of the list
	key     string   // field that the path of one ends with
	called  string   // further field that it may be called by; not unique
	columns []column
	filters []filter
	fields  []string // that may be written
	hidden  []string // of them, that the server never shows
	texts   []string // of them, that are texts even where they look like numbers, with what is in them
	create  string   // arguments of an example that makes one
	stream  ecp.Kind // in events, if that is not name
	lists   bool     // there is a list of them in one page, and no way to read one alone
}

// event is what events call such a thing.
func (k kind) event() ecp.Kind {
	if k.stream != "" {
		return k.stream
	}
	return ecp.Kind(k.name)
}

// one is what a person calls one of them.
func (k kind) one() string {
	if k.stream != "" {
		return string(k.stream)
	}
	return k.words[0]
}

// filter is a parameter of a list, and the flag of the same name.
type filter struct{ name, usage string }

func (k kind) columnsOf(wide bool) []column {
	return slices.DeleteFunc(slices.Clone(k.columns), func(c column) bool { return c.wide && !wide })
}

// marked returns an object with its kind, if it is one that apply takes.
func (k kind) marked(o object) object {
	if k.name == "" || o.at("kind") != nil {
		return o
	}
	o.raw = append([]byte(`{"kind":"`+k.name+`",`), bytes.TrimPrefix(bytes.TrimSpace(o.raw), []byte("{"))...)
	return o
}

// nameOf is what -o name prints of an object; of what there is one only, its kind.
func (k kind) nameOf(o object) string {
	if k.key == "" {
		return k.name
	}
	return o.text(k.key)
}

func (k kind) item(key string) string {
	if k.name == kindProject { // ORG/PROJECT are two segments
		if org, project, ok := cutProject(key); ok {
			return k.path + client.Path(org, project)
		}
	}
	return k.path + client.Path(key)
}

// Kinds that code names.
const (
	kindCluster   = "cluster"
	kindOperation = "operation"
	kindProject   = "project"
	kindUser      = "user"
	kindToken     = "token"
	kindPool      = "pool"
)

var filterText = filter{"q", "only those with this in the name or id, in any case"}

var clusterKind = kind{
	name: kindCluster, words: []string{"cluster"}, short: "clusters", path: client.ClustersPath, key: "id",
	called: "name",
	columns: []column{
		{head: "NAME", path: "name"}, {head: "ID", path: "id"}, {head: "STATE", path: "status.state", show: state},
		{head: "NODES", path: "status.readyNodes", show: nodes}, {head: "VERSION", path: "version"},
		{head: "CONNECTIONS", path: "status.connections.current", show: over("spec.connections")},
		{head: "AGE", path: "createdAt", show: ago}, {head: "PROJECT", path: "project"},
		{head: "MODE", path: "mode", wide: true}, {head: "SIZE", path: "spec.size", wide: true},
		{head: "IMAGE", path: "spec.image", wide: true},
		{head: "REASON", path: "status.reason", show: reason, wide: true},
		{head: "SINCE", path: "status.since", show: ago, wide: true}, {head: "CREATOR", path: "creator", wide: true},
		{head: "OPERATION", path: "status.operation", wide: true},
		{head: "MESSAGE", path: "status.message", wide: true},
	},
	filters: []filter{
		{"mode", "only hosted or only adopted ones"}, {"state", "only those in the state"},
		{"version", "only those of this EMQX version"}, filterText,
		{"sort", "order: a field such as name or createdAt, with - before it downwards"},
	},
	fields: []string{"name", "description", "spec"},
}

var operationKind = kind{
	name: "", words: []string{"op"}, path: "/api/v1/operations", key: "id", stream: ecp.KindOperation,
	columns: []column{
		{head: "ID", path: "id"}, {head: "KIND", path: "kind", show: opKind},
		{head: "PHASE", path: "phase", show: phase},
		{head: "STEPS", path: "steps", show: stepsDone}, {head: "ACTOR", path: "actor"},
		{head: "BEGAN", path: "createdAt", show: clock}, {head: "CLUSTER", path: "cluster", wide: true},
		{head: "ENDED", path: "endedAt", show: clock, wide: true}, {head: "ERROR", path: "error"},
		{head: "NOTE", path: "note", wide: true},
	},
}

// resources are the kinds that have commands of the same form.
var resources = []kind{
	{
		name: "image", words: []string{"image", "images"}, short: "images of EMQX", path: "/api/v1/images", key: "id",
		columns: []column{
			{head: "ID", path: "id"}, {head: "VERSION", path: "version"}, {head: "DEFAULT", path: "default"},
			{head: "REFERENCE", path: "reference"}, {head: "UNVERIFIED", path: "unverified", wide: true},
			{head: "ARCHITECTURES", path: "architectures", wide: true},
		},
		filters: []filter{filterText}, fields: []string{"id", "reference", "version", "default", "architectures"},
		texts:  []string{"id", "reference", "version"},
		create: "emqx-ee-5.8.4 --set reference=emqx/emqx-enterprise:5.8.4 --set version=5.8.4",
	},
	{
		name: "size", words: []string{"size", "sizes"}, short: "sizes of nodes", path: "/api/v1/sizes", key: "name",
		columns: []column{
			{head: "NAME", path: "name"}, {head: "CPU", path: "cpu.limit"}, {head: "MEMORY", path: "memory.limit"},
			{head: "STORAGE", path: "storage.size"}, {head: "DEFAULT", path: "default"},
			{head: "CLASS", path: "storage.class", wide: true},
		},
		filters: []filter{filterText}, fields: []string{"name", "cpu", "memory", "storage", "default"},
		texts: []string{"cpu", "memory", "storage"},
		create: "3C6G --set cpu.request=3 --set cpu.limit=3 --set memory.request=6Gi --set memory.limit=6Gi " +
			"--set storage.size=30Gi",
	},
	{
		name: "registry", words: []string{"registry", "registries"}, short: "registries that images are pulled from",
		path: "/api/v1/registries", key: "name",
		columns: []column{{head: "NAME", path: "name"}, {head: "HOST", path: "host"}, {head: "USER", path: "user"},
			{head: "PASSWORD SET", path: "passwordSet"}},
		filters: []filter{filterText}, fields: []string{"name", "host", "user", "password"},
		hidden: []string{"password"},
		create: "acme --set host=registry.acme.com --set user=puller --secret password=-",
	},
	{
		name: "license", words: []string{"license", "licenses"}, short: "licenses of EMQX",
		path: "/api/v1/emqx-licenses",
		key:  "name",
		columns: []column{
			{head: "NAME", path: "name"}, {head: "FORMAT", path: "format"}, {head: "CUSTOMER", path: "customer"},
			{head: "LIMIT", path: "limit"}, {head: "EXPIRES", path: "expiresAt", show: clock},
			{head: "DEFAULT", path: "default"}, {head: "TYPE", path: "type", wide: true},
		},
		filters: []filter{filterText}, fields: []string{"name", "format", "content", "default"},
		hidden: []string{"content"}, create: "acme --set format=v5 --secret content=emqx.lic",
	},
	{
		name: "certificate", words: []string{"certificate", "certificates"}, short: "TLS certificates of clusters",
		path: "/api/v1/certificates", key: "name",
		columns: []column{
			{head: "NAME", path: "name"}, {head: "NAMES", path: "dnsNames"},
			{head: "ENDS", path: "notAfter", show: clock},
			{head: "CLUSTERS", path: "clusters", show: count}, {head: "ISSUER", path: "issuer", wide: true},
			{head: "SHA256", path: "sha256", wide: true},
		},
		filters: []filter{filterText}, fields: []string{"name", "chain", "key"}, hidden: []string{"key"},
		create: "acme --secret chain=tls.crt --secret key=tls.key",
	},
	{
		name: "lb-profile", words: []string{"lb-profile", "lb-profiles"}, short: "annotations of load balancers",
		path: "/api/v1/lb-profiles", key: "name",
		columns: []column{
			{head: "NAME", path: "name"}, {head: "FROM", path: "minConnections"}, {head: "TO", path: "maxConnections"},
			{head: "AGE", path: "createdAt", show: ago}, {head: "ANNOTATIONS", path: "annotations", wide: true},
		},
		filters: []filter{filterText}, fields: []string{"name", "annotations", "minConnections", "maxConnections"},
		create: "large --set minConnections=10000 --set 'annotations.service\\.beta/type=nlb'",
	},
	{
		name: "target", words: []string{"target", "targets"},
		short: "Kubernetes clusters that hosted clusters are made on",
		path:  "/api/v1/kubernetes-targets", key: "name",
		columns: []column{
			{head: "NAME", path: "name"}, {head: "REACHABLE", path: "health.reachable"},
			{head: "CLUSTERS", path: "clusters"}, {head: "DESCRIPTION", path: "description"},
			{head: "MESSAGE", path: "health.message", wide: true, show: targetMessage},
		},
		filters: []filter{filterText}, fields: []string{"name", "description", "kubeconfig", "network"},
		hidden: []string{"kubeconfig"}, create: "east --secret kubeconfig=east.kubeconfig",
	},
	{
		name: "org", words: []string{"org", "orgs"}, short: "organisations", path: "/api/v1/orgs", key: "name",
		columns: []column{
			{head: "NAME", path: "name"}, {head: "DESCRIPTION", path: "description"},
			{head: "AGE", path: "createdAt", show: ago},
		},
		filters: []filter{filterText}, fields: []string{"name", "description"},
		create: "acme --set 'description=makers of everything'",
	},
	{
		name: kindProject, words: []string{"project", "projects"}, short: "projects of organisations",
		path: "/api/v1/projects", key: "path",
		columns: []column{
			{head: "PATH", path: "path"}, {head: "CLUSTERS", path: "usage.clusters"},
			{head: "CONNECTIONS", path: "usage.connections"}, {head: "DESCRIPTION", path: "description"},
			{head: "AGE", path: "createdAt", show: ago},
		},
		filters: []filter{filterText}, fields: []string{"path", "description"}, create: "acme/shops",
	},
	{
		name: kindUser, words: []string{"user", "users"}, short: "people who log in", path: "/api/v1/users",
		key: "name",
		columns: []column{
			{head: "NAME", path: "name"}, {head: "DISPLAY NAME", path: "displayName"},
			{head: "GRANTS", path: "grants", show: grants}, {head: "DISABLED", path: "disabled"},
			{head: "AGE", path: "createdAt", show: ago}, {head: "PASSWORD SET", path: "passwordSet", wide: true},
		},
		filters: []filter{filterText}, fields: []string{"name", "displayName", "grants", "password", "disabled"},
		hidden: []string{"password"}, create: "ann --role project-admin:acme/shops --secret password=-",
	},
	{
		name: kindToken, words: []string{"token", "tokens"}, short: "tokens of programs", path: "/api/v1/tokens",
		key:    "id",
		called: "name",
		columns: []column{
			{head: "NAME", path: "name"}, {head: "ID", path: "id"}, {head: "ROLE", path: "role", show: roleOf},
			{head: "EXPIRES", path: "expiresAt", show: clock}, {head: "LAST USED", path: "lastUsed", show: clock},
			{head: "CREATED BY", path: "createdBy", wide: true},
		},
		filters: []filter{filterText}, fields: []string{"name", "role", "org", "project", "expiresAt"},
		create: "deployer --role project-admin:acme/shops",
	},
}

// listings are what is listed of one cluster.
var listings = []kind{
	{
		words: []string{"nodes"}, short: "list a cluster's nodes", key: "name",
		columns: []column{
			{head: "NODE", path: "name", show: shortNode}, {head: "READY", path: "ready"},
			{head: "STATUS", path: "status"},
			{head: "ROLE", path: "role"}, {head: "VERSION", path: "version"},
			{head: "CONNECTIONS", path: "connections"},
			{head: "REASON", path: "reason", show: reason}, {head: "POD", path: "pod", wide: true},
			{head: "HOST", path: "host", wide: true},
			{head: "NAME", path: "name", wide: true}, {head: "RESTARTS", path: "restarts", wide: true},
			{head: "MESSAGE", path: "message", wide: true},
		},
	},
	{
		words: []string{"alarms"}, short: "list the alarms of a cluster's EMQX", key: "name",
		columns: []column{
			{head: "NAME", path: "name"}, {head: "ACTIVE", path: "active"}, {head: "SINCE", path: "since", show: clock},
			{head: "MESSAGE", path: "message"}, {head: "NODES", path: "nodes", wide: true},
			{head: "UNTIL", path: "until", show: clock, wide: true},
		},
		filters: []filter{filterText, {"active", "true: only those that are not over, false: only those that are"}},
	},
	{
		words: []string{"rules"}, short: "list the rules of a cluster's EMQX", key: "id",
		columns: []column{
			{head: "ID", path: "id"}, {head: "RUNNING", path: "running"}, {head: "TOPICS", path: "topics"},
			{head: "ACTIONS", path: "actions"}, {head: "NAME", path: "name", wide: true},
			{head: "SQL", path: "sql", wide: true},
		},
		filters: []filter{filterText},
	},
	{
		words: []string{"connectors"}, short: "list the connectors, actions and sources of a cluster's EMQX", key: "id",
		columns: []column{
			{head: "ID", path: "id"}, {head: "KIND", path: "kind"}, {head: "TYPE", path: "type"},
			{head: "STATUS", path: "status"}, {head: "ENABLED", path: "enabled"}, {head: "REASON", path: "reason"},
		},
		filters: []filter{filterText},
	},
	{
		words: []string{"history"}, short: "list what agents have told of a cluster's past", key: "id",
		columns: []column{
			{head: "AT", path: "at", show: clock}, {head: "KIND", path: "kind"}, {head: "NAME", path: "name"},
			{head: "FROM", path: "from"}, {head: "TO", path: "to"}, {head: "MESSAGE", path: "message"},
		},
		filters: []filter{
			{"kind", "only of the kind, such as alarm or member"}, {"since", "not older, RFC 3339"},
			{"until", "older, RFC 3339"},
		},
	},
}

var agentKind = kind{
	words: []string{"agents"}, short: "list the agents of an adopted cluster", key: "id", stream: ecp.KindAgent,
	lists: true,
	columns: []column{
		{head: "ID", path: "id"}, {head: "NODE", path: "node"}, {head: "CONNECTED", path: "connected"},
		{head: "VERSION", path: "version"}, {head: "HOST", path: "hostname"},
		{head: "REASON", path: "reason", show: reason},
		{head: "LAST SEEN", path: "lastSeen", show: clock, restless: true},
		{head: "MESSAGE", path: "message", wide: true},
		{head: "CARRIER", path: "carrier", wide: true}, {head: "REMOTE", path: "remote", wide: true},
	},
}

var auditKind = kind{
	words: []string{"audit"}, path: "/api/v1/audit", key: "id",
	columns: []column{
		{head: "AT", path: "at", show: clock}, {head: "ACTOR", path: "actor"}, {head: "ACTION", path: "action"},
		{head: "KIND", path: "kind"}, {head: "KEY", path: "key"}, {head: "OUTCOME", path: "outcome"},
		{head: "SCOPE", path: "scope", wide: true}, {head: "FROM", path: "remoteAddress", wide: true},
		{head: "WHY", path: "why", wide: true},
	},
	filters: []filter{
		{"actor", "only what this one did"}, {"kind", "only of this kind of thing"},
		{"key", "only of the thing of this id or name"},
		{"scope", "only of ORG or ORG/PROJECT"}, {"outcome", "done or denied"}, {"since", "not older, RFC 3339"},
		{"until", "older, RFC 3339"},
	},
}
