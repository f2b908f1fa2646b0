package emqxhttp

import "github.com/openecp/openecp/ecp"

// protocols maps the names that both majors use.
var protocols = map[string]ecp.Protocol{"tcp": ecp.MQTT, "ssl": ecp.MQTTS, "ws": ecp.WS, "wss": ecp.WSS}

// Protocol returns the protocol of a type of listeners, or false if ecp has no name for it.
func Protocol(name string) (ecp.Protocol, bool) {
	p, ok := protocols[name]
	return p, ok
}
