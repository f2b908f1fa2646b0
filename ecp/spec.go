package ecp

import (
	"maps"

	"github.com/openecp/openecp/ecp/internal/setting"
)

// Mode says who made a cluster and therefore what can be done with it.
type Mode string

// The modes.
const (
	Hosted  Mode = "hosted"  // 托管: made by a [Provisioner], life cycle owned by the Manager
	Adopted Mode = "adopted" // 纳管: made by somebody else, reached through an agent
)

// Spec is what the owner of a cluster wants. Exactly the part of the
// cluster's mode is set.
type Spec struct {
	Hosted  *HostedSpec  `json:"hosted,omitempty"`
	Adopted *AdoptedSpec `json:"adopted,omitempty"`
}

// HostedSpec is what is wanted of a hosted cluster. Zero values of fields
// marked "default" are filled in when the cluster is created.
type HostedSpec struct {
	Image       string     `json:"image"`       // slug in the image catalogue; "" = the default image
	Nodes       int        `json:"nodes"`       // 1 to 7
	Size        string     `json:"size"`        // name in the size catalogue; "" = the default size
	Connections int        `json:"connections"` // MQTT connections booked in the pool, at least 1
	Network     Network    `json:"network"`     // how clients reach it
	Power       Power      `json:"power"`       // "" = on; moved by Start and Stop only
	Target      string     `json:"target"`      // Kubernetes target; "" = "default"; fixed at creation
	Evacuation  Evacuation `json:"evacuation"`  // how clients are moved off a node before it goes
	// Config: EMQX settings by dotted key, e.g. "mqtt.max_packet_size"; last word over ours
	Config    map[string]string `json:"config,omitempty"`
	Placement Placement         `json:"placement,omitzero"` // where nodes may run
	// Storage: storage class; "" = the size's, else the cluster's default class
	Storage string `json:"storage,omitempty"`
	// Hibernation: when it is stopped and started by itself; its zero value is never
	Hibernation Hibernation `json:"hibernation,omitzero"`
	// Maintenance: when nodes may be replaced; its zero value is at any time
	Maintenance Maintenance `json:"maintenance,omitzero"`
	// Replicants: nodes beside Nodes that hold clients and no data; zero = none. EMQX 5 and later.
	Replicants Replicants `json:"replicants,omitzero"`
}

// Hibernation is a schedule by which a cluster is stopped, and started again. Times are
// crontab's five fields, such as "0 20 * * 1-5".
type Hibernation struct {
	Sleep    string `json:"sleep,omitempty"`    // when it is stopped if it runs; "" = never
	Wake     string `json:"wake,omitempty"`     // when it is started if this has stopped it; "" = never
	TimeZone string `json:"timeZone,omitempty"` // IANA name, such as "Europe/Berlin"; "" = UTC
	// KeepQuota: its connections stay booked while it sleeps; otherwise others can have them, and it
	// waits at wake until there is room
	KeepQuota bool `json:"keepQuota,omitempty"`
}

// Maintenance says when nodes may be replaced for a change.
type Maintenance struct {
	Windows  []MaintenanceWindow `json:"windows,omitempty"`  // empty = at any time
	TimeZone string              `json:"timeZone,omitempty"` // IANA name, such as "Europe/Berlin"; "" = UTC
}

// MaintenanceWindow comes again and again.
type MaintenanceWindow struct {
	Start    string `json:"start"`    // crontab's five fields, such as "0 2 * * 6"
	Duration string `json:"duration"` // such as "4h" or "90m"; a week at most
}

// Replicants are nodes that copy what the core nodes know and keep nothing of their own, so
// that they come and go as clients do. Where there are any, clients reach them first.
type Replicants struct {
	Nodes int    `json:"nodes"`          // 0 to [MaxReplicants]
	Size  string `json:"size,omitempty"` // name in the size catalogue; "" = that of the core nodes
}

// AllNodes is how many nodes are wanted, whatever their role.
func (h HostedSpec) AllNodes() int { return h.Nodes + h.Replicants.Nodes }

// AdoptedSpec is what is known and wanted of an adopted cluster.
type AdoptedSpec struct {
	// ServiceAddress: http(s) URL of the dashboard as browsers reach it, which nobody dials here; "" =
	// only through the agent
	ServiceAddress string `json:"serviceAddress,omitempty"`
	// Connections: limit that its broker keeps to, booked in the pool; 0 = the broker keeps its own
	Connections int `json:"connections,omitempty"`
}

// Power is whether nodes should run at all.
type Power string

// The powers.
const (
	PowerOn  Power = "on"
	PowerOff Power = "off" // no node runs, data is kept
)

// NetworkType is how the access Service is exposed; the names are Kubernetes'.
type NetworkType string

// The network types.
const (
	ClusterIP    NetworkType = "ClusterIP"
	NodePort     NetworkType = "NodePort"
	LoadBalancer NetworkType = "LoadBalancer"
)

// Protocol is a listener's protocol.
type Protocol string

// The protocols, with the container port each listens on for good; only
// Service ports vary.
const (
	MQTT  Protocol = "mqtt"  // 1883
	MQTTS Protocol = "mqtts" // 8883
	WS    Protocol = "ws"    // 8083
	WSS   Protocol = "wss"   // 8084
)

// Network is how MQTT clients reach a hosted cluster.
type Network struct {
	Type NetworkType `json:"type"` // "" = ClusterIP
	// Listeners: empty = all four protocols on their container ports
	Listeners   []Listener        `json:"listeners,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"` // put on the access Service
	// LoadBalancerClass: LoadBalancer only; "" = the platform's default
	LoadBalancerClass string `json:"loadBalancerClass,omitempty"`
	// Certificate: name in the certificate catalogue, of the one that mqtts and wss serve; "" = EMQX's own,
	// which nobody trusts
	Certificate string `json:"certificate,omitempty"`
}

// Listener is one port of the access Service.
type Listener struct {
	Protocol Protocol `json:"protocol"`
	Port     int      `json:"port"` // Service port, 1 to 65535; 0 = the protocol's container port
}

// Evacuation says how clients leave a node that is about to go.
type Evacuation struct {
	Rate       int        `json:"rate,omitempty"`       // connections moved per second; 0 = 500
	DeadlineS  int        `json:"deadline,omitempty"`   // seconds per node; 0 = 600
	OnDeadline OnDeadline `json:"onDeadline,omitempty"` // "" = go-on
}

// OnDeadline is what happens to an evacuation whose time is up.
type OnDeadline string

// The ways to go on.
const (
	GoOn       OnDeadline = "go-on" // cut the clients that are left
	StopAtTime OnDeadline = "stop"  // fail the operation, leave the node as it is
)

// Placement restricts the Kubernetes nodes a cluster may use.
type Placement struct {
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	Tolerations  []Toleration      `json:"tolerations,omitempty"`
}

// Toleration lets nodes run on tainted Kubernetes nodes; the fields are
// Kubernetes' own.
type Toleration struct {
	Key      string `json:"key,omitempty"`
	Operator string `json:"operator,omitempty"` // "Exists" or "Equal"
	Value    string `json:"value,omitempty"`
	Effect   string `json:"effect,omitempty"` // "NoSchedule", "PreferNoSchedule", "NoExecute"; "" = all
}

// Clone returns a copy that shares nothing with s.
func (s Spec) Clone() Spec {
	if s.Hosted != nil {
		h := s.Hosted.Clone()
		s.Hosted = &h
	}
	if s.Adopted != nil {
		a := *s.Adopted
		s.Adopted = &a
	}
	return s
}

// Clone returns a copy that shares nothing with h.
func (h HostedSpec) Clone() HostedSpec {
	h.Config = maps.Clone(h.Config)
	h.Network.Annotations = maps.Clone(h.Network.Annotations)
	h.Network.Listeners = append([]Listener(nil), h.Network.Listeners...)
	h.Placement.NodeSelector = maps.Clone(h.Placement.NodeSelector)
	h.Placement.Tolerations = append([]Toleration(nil), h.Placement.Tolerations...)
	h.Maintenance.Windows = append([]MaintenanceWindow(nil), h.Maintenance.Windows...)
	return h
}

// Connections is what the cluster books in the pool.
func (s Spec) Connections() int {
	switch {
	case s.Hosted != nil:
		return s.Hosted.Connections
	case s.Adopted != nil:
		return s.Adopted.Connections
	}
	return 0
}

// Protocols lists the protocols in the order listeners are shown.
func Protocols() []Protocol { return []Protocol{MQTT, MQTTS, WS, WSS} }

// containerPorts maps each protocol to the port EMQX listens on for good.
var containerPorts = map[Protocol]int{MQTT: 1883, MQTTS: 8883, WS: 8083, WSS: 8084}

// ContainerPort is the port EMQX listens on for the protocol; 0 if there is no
// such protocol.
func (p Protocol) ContainerPort() int { return containerPorts[p] }

// Redacted returns a spec as it can be shown to who may read the cluster: values of
// EMQX settings that may be secrets are "[redacted]". Update takes that for the
// value that is stored, so that what was read can be applied again; Create does
// not.
func (s Spec) Redacted() Spec {
	s = s.Clone()
	if s.Hosted == nil {
		return s
	}
	for key, value := range s.Hosted.Config {
		if !setting.Harmless(key, value) {
			s.Hosted.Config[key] = setting.Redacted
		}
	}
	return s
}
