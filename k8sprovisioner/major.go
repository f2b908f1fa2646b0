package k8sprovisioner

import (
	"strings"

	"github.com/openecp/openecp/ecp"
)

// major contains what differs between EMQX 4 and 5 on Kubernetes.
type major struct {
	number     int
	suffix     string // of the StatefulSet and the access Service
	api        int    // port of the management API
	management []port // what the management Service offers
	status     string // path on the api port that answers while the broker runs
	available  string // path on the api port that refuses during an evacuation
	since      ecp.Version
	configFile string                           // mounted over the image's; if empty, the ConfigMap becomes environment
	environ    func(in input) []env             // fixed settings; the pod template's own
	config     func(in input) map[string]string // settings that may change at run time
	listener   map[ecp.Protocol]string          // setting prefix of each listener
	// certificateEnv is the variable for a file of a listener's certificate.
	certificateEnv func(listener string, s setting) env
}

// port is a named TCP port.
type port struct {
	name   string
	number int
}

// mqttPort is a listener as the access Service names it.
type mqttPort struct {
	protocol ecp.Protocol
	name     string
}

// mqttPorts names the ports of the access Service; the number in the name is
// the container's.
var mqttPorts = []mqttPort{
	{ecp.MQTT, "mqtt-tcp-1883"},
	{ecp.MQTTS, "mqtt-ssl-8883"},
	{ecp.WS, "mqtt-ws-8083"},
	{ecp.WSS, "mqtt-wss-8084"},
}

// peerPorts carry Erlang distribution and RPC between the nodes of a cluster.
var peerPorts = []port{{"epmd", 4369}, {"ekka", 4370}, {"rpc", 5369}, {"rpc-alt", 5370}}

const dashboardPort = 18083

var (
	major4 = major{
		number: 4, suffix: "-emqx-ee", api: 8081,
		management: []port{{"api", 8081}, {"dashboard", dashboardPort}},
		status:     "/status", available: "/api/v4/load_rebalance/availability_check",
		since:   ecp.Version{Major: 4, Minor: 4, Patch: 24},
		environ: environ4, config: config4, certificateEnv: certificateEnv4,
		listener: map[ecp.Protocol]string{
			ecp.MQTT: "listener.tcp.external", ecp.MQTTS: "listener.ssl.external",
			ecp.WS: "listener.ws.external", ecp.WSS: "listener.wss.external",
		},
	}
	major5 = major{
		number: 5, suffix: "-emqx", api: dashboardPort,
		management: []port{{"dashboard", dashboardPort}},
		status:     "/status", available: "/api/v5/load_rebalance/availability_check",
		configFile: "emqx.conf",
		environ:    environ5, config: config5, certificateEnv: certificateEnv5,
		listener: map[ecp.Protocol]string{
			ecp.MQTT: "listeners.tcp.default", ecp.MQTTS: "listeners.ssl.default",
			ecp.WS: "listeners.ws.default", ecp.WSS: "listeners.wss.default",
		},
	}
)

// majorOf returns the major of a version. It returns false for an unsupported version.
func majorOf(v ecp.Version) (major, bool) {
	switch {
	case v.Major == 4 && v.Minor >= 4:
		return major4, true
	case v.Major >= 5:
		return major5, true
	}
	return major{}, false
}

// majorOfWorkload returns the major of a StatefulSet by its name.
func majorOfWorkload(name string) major {
	if strings.HasSuffix(name, major4.suffix) {
		return major4
	}
	return major5
}

// ready returns the path of the readiness probe. It is the availability check where that
// needs no credentials, so that a node that is being evacuated gets no new clients.
// Older versions answer only whether the broker runs.
func (m major) ready(v ecp.Version) string {
	if v.Before(m.since) {
		return m.status
	}
	return m.available
}
