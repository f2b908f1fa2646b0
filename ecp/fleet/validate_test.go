package fleet

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/fault"
	"github.com/openecp/openecp/ecp/internal/setting"
	"github.com/openecp/openecp/ecp/internal/validate"
	"github.com/stretchr/testify/require"
)

func TestDescriptions(t *testing.T) {
	for description, fields := range map[string][]string{
		"":                       nil,
		"any 🎉 text\nis fine":    nil,
		strings.Repeat("述", 500): nil,
		strings.Repeat("述", 501): {"description"},
		"\xff":                   {"description"},
	} {
		var p fault.Fields
		validate.Text(&p, "a", description)
		require.Equal(t, fields, fieldsOf(p), "%.20q", description)
	}
}

func fieldsOf(p fault.Fields) []string {
	var out []string
	for _, f := range p {
		out = append(out, f.Field)
	}
	return out
}

// specCases change a good spec; the fields are those that are then wrong.
var specCases = map[string]struct {
	change func(*ecp.HostedSpec)
	fields []string
}{
	"good":           {func(*ecp.HostedSpec) {}, nil},
	"no nodes":       {func(s *ecp.HostedSpec) { s.Nodes = 0 }, []string{"spec.nodes"}},
	"seven nodes":    {func(s *ecp.HostedSpec) { s.Nodes = 7 }, nil},
	"eight nodes":    {func(s *ecp.HostedSpec) { s.Nodes = 8 }, []string{"spec.nodes"}},
	"negative nodes": {func(s *ecp.HostedSpec) { s.Nodes = -1 }, []string{"spec.nodes"}},
	"no connections": {func(s *ecp.HostedSpec) { s.Connections = 0 }, []string{"spec.connections"}},
	"too many connections": {
		func(s *ecp.HostedSpec) { s.Connections = ecp.MaxConnections + 1 }, []string{"spec.connections"},
	},
	"unknown power": {func(s *ecp.HostedSpec) { s.Power = "standby" }, []string{"spec.power"}},
	"unknown network": {
		func(s *ecp.HostedSpec) { s.Network.Type = "clusterip" }, []string{"spec.network.type"},
	},
	"class without balancer": {
		func(s *ecp.HostedSpec) { s.Network.LoadBalancerClass = "a/b" }, []string{"spec.network.loadBalancerClass"},
	},
	"class with a space": {balanced("a b"), []string{"spec.network.loadBalancerClass"}},
	"class":              {balanced("example.com/internal"), nil},
	"unknown protocol": {
		listeners(ecp.Listener{Protocol: "quic", Port: 14567}), []string{"spec.network.listeners[0].protocol"},
	},
	"port 0": {
		listeners(ecp.Listener{Protocol: ecp.MQTT, Port: 0}), []string{"spec.network.listeners[0].port"},
	},
	"port 65536": {
		listeners(ecp.Listener{Protocol: ecp.MQTT, Port: 1883}, ecp.Listener{Protocol: ecp.WS, Port: 65536}),
		[]string{"spec.network.listeners[1].port"},
	},
	"highest port": {listeners(ecp.Listener{Protocol: ecp.MQTT, Port: 65535}), nil},
	"the same protocol twice": {
		listeners(ecp.Listener{Protocol: ecp.MQTT, Port: 1883}, ecp.Listener{Protocol: ecp.MQTT, Port: 1884}),
		[]string{"spec.network.listeners[1].protocol"},
	},
	"the same port twice": {
		listeners(ecp.Listener{Protocol: ecp.MQTT, Port: 1883}, ecp.Listener{Protocol: ecp.WS, Port: 1883}),
		[]string{"spec.network.listeners[1].port"},
	},
	"negative rate": {func(s *ecp.HostedSpec) { s.Evacuation.Rate = -1 }, []string{"spec.evacuation.rate"}},
	"negative deadline": {
		func(s *ecp.HostedSpec) { s.Evacuation.DeadlineS = -1 }, []string{"spec.evacuation.deadline"},
	},
	"unknown end": {
		func(s *ecp.HostedSpec) { s.Evacuation.OnDeadline = "panic" }, []string{"spec.evacuation.onDeadline"},
	},
	"known end": {func(s *ecp.HostedSpec) { s.Evacuation.OnDeadline = ecp.StopAtTime }, nil},

	"a setting":                        {config("mqtt.max_packet_size", "2MB"), nil},
	"a setting in capitals":            {config("MQTT.x", "1"), []string{"spec.config[MQTT.x]"}},
	"a setting with a space":           {config("a b", "1"), []string{"spec.config[a b]"}},
	"an empty setting":                 {config("", "1"), []string{"spec.config[]"}},
	"a value of two lines":             {config("a", "1\nnode.cookie = x"), []string{"spec.config[a]"}},
	"a setting of a control character": {config("a", "x\x01"), []string{"spec.config[a]"}},
	"a setting that is too large": {
		config("a", strings.Repeat("x", setting.MaxValue+1)), []string{"spec.config[a]"},
	},
	"settings that are too large": {func(s *ecp.HostedSpec) {
		s.Config = map[string]string{}
		for i := range 5 {
			s.Config["a"+strconv.Itoa(i)] = strings.Repeat("x", setting.MaxValue)
		}
	}, []string{"spec.config"}},
	"a setting of a number":         {config("1a.b", "1"), []string{"spec.config[1a.b]"}},
	"a setting of an underscore":    {config("_a", "1"), []string{"spec.config[_a]"}},
	"a setting that HOCON includes": {config("include", "x"), []string{"spec.config[include]"}},
	"a setting that is a boolean":   {config("true", "x"), []string{"spec.config[true]"}},
	"a boolean in a setting":        {config("listeners.tcp.true.enable", "true"), nil},
	"a dot of EMQX 4.4":             {config("node__cookie", "x"), []string{"spec.config[node__cookie]"}},
	"half a dot of EMQX 4.4":        {config("a_._b", "x"), []string{"spec.config[a_._b]"}},
	"a listener with a number":      {config("listeners.tcp.2nd_one.max_connections", "x"), nil},
	"a line in a text":              {config("a", `["x\ny\tz"]`), nil},
	"a separator in a text":         {config("a", `["x\u2028y"]`), []string{"spec.config[a]"}},
	"a separator in a name":         {config("a", `{"x\u2029y":1}`), []string{"spec.config[a]"}},
	"half a character in a text":    {config("a", `"\ud800"`), []string{"spec.config[a]"}},
	"nothing in a text":             {config("a", `{"x":["\u0000"]}`), []string{"spec.config[a]"}},
	"what an image reads":           {config("name", "x"), []string{"spec.config[name]"}},
	"the dashboard's user": {
		config("dashboard.default_username", "x"), []string{"spec.config[dashboard.default_username]"},
	},
	"the dashboard's password": {
		config("dashboard.default_user.password", "x"), []string{"spec.config[dashboard.default_user.password]"},
	},
	"a whole that has ours":  {config("dashboard", `{"listeners":{}}`), []string{"spec.config[dashboard]"}},
	"beside the dashboard's": {config("dashboard.token_expired_time", "1h"), nil},
	"a setting of ours":      {config("node.cookie", "x"), []string{"spec.config[node.cookie]"}},
	"a whole part of ours":   {config("cluster", "x"), []string{"spec.config[cluster]"}},
	"a setting beside ours":  {config("nodes.a", "x"), nil},

	"an annotation":                {annotation("service.beta.kubernetes.io/aws-load-balancer-type", "nlb"), nil},
	"an annotation without domain": {annotation("Team", "any value \n at all"), nil},
	"an annotation with a NUL":     {annotation("a", "x\x00y"), []string{"spec.network.annotations[a]"}},
	"an annotation turned round":   {annotation("a", "x\u202ey"), []string{"spec.network.annotations[a]"}},
	"an annotation of two slashes": {annotation("a/b/c", ""), []string{"spec.network.annotations[a/b/c]"}},
	"an annotation with a space":   {annotation("a b", ""), []string{"spec.network.annotations[a b]"}},
	"an annotation without a word": {
		annotation("example.com/", ""), []string{"spec.network.annotations[example.com/]"},
	},
	"an annotation that is long": {
		annotation(strings.Repeat("a", 64), ""), []string{"spec.network.annotations[" + strings.Repeat("a", 64) + "]"},
	},
	"an annotation of ours": {
		annotation("openecp.io/cluster", ""), []string{"spec.network.annotations[openecp.io/cluster]"},
	},
	"an annotation below ours": {
		annotation("x.openecp.io/y", ""), []string{"spec.network.annotations[x.openecp.io/y]"},
	},
	"annotations beyond 256 KiB": {
		annotation("a", strings.Repeat("x", 256<<10)), []string{"spec.network.annotations"},
	},
	"a selector":                  {selector("kubernetes.io/arch", "arm64"), nil},
	"a selector without a value":  {selector("gpu", ""), nil},
	"a selector with a bad key":   {selector("a b", "x"), []string{"spec.placement.nodeSelector[a b]"}},
	"a selector with a bad value": {selector("a", "x y"), []string{"spec.placement.nodeSelector[a]"}},
	"tolerate everything":         {tolerate(ecp.Toleration{Operator: "Exists"}), nil},
	"tolerate a taint":            {tolerate(ecp.Toleration{Key: "a", Value: "b", Effect: "NoSchedule"}), nil},
	"an unknown operator": {
		tolerate(ecp.Toleration{Key: "a", Operator: "In"}), []string{"spec.placement.tolerations[0].operator"},
	},
	"an unknown effect": {
		tolerate(ecp.Toleration{Key: "a", Effect: "Never"}), []string{"spec.placement.tolerations[0].effect"},
	},
	"equal to nothing": {
		tolerate(ecp.Toleration{Operator: "Equal"}), []string{"spec.placement.tolerations[0].key"},
	},
	"a taint with a bad key": {
		tolerate(ecp.Toleration{Key: "a b"}), []string{"spec.placement.tolerations[0].key"},
	},
	"exists with a value": {
		tolerate(ecp.Toleration{Key: "a", Operator: "Exists", Value: "b"}),
		[]string{"spec.placement.tolerations[0].value"},
	},
	"a taint with a bad value": {
		tolerate(ecp.Toleration{Key: "a", Value: "b c"}), []string{"spec.placement.tolerations[0].value"},
	},
	"a storage class":             {func(s *ecp.HostedSpec) { s.Storage = "fast-ssd.example" }, nil},
	"a storage class in capitals": {func(s *ecp.HostedSpec) { s.Storage = "Fast" }, []string{"spec.storage"}},
	"three things, in their order": {
		threeWrong, []string{"spec.nodes", "spec.connections", "spec.config[A]", "spec.config[B]"},
	},
	"both names of a listener good": {
		listeners(ecp.Listener{Protocol: ecp.MQTTS, Port: 443}, ecp.Listener{Protocol: ecp.WSS, Port: 8443}), nil,
	},
}

func listeners(l ...ecp.Listener) func(*ecp.HostedSpec) {
	return func(s *ecp.HostedSpec) { s.Network.Listeners = l }
}

func config(k, v string) func(*ecp.HostedSpec) {
	return func(s *ecp.HostedSpec) { s.Config = map[string]string{k: v} }
}

func annotation(k, v string) func(*ecp.HostedSpec) {
	return func(s *ecp.HostedSpec) { s.Network.Annotations = map[string]string{k: v} }
}

func selector(k, v string) func(*ecp.HostedSpec) {
	return func(s *ecp.HostedSpec) { s.Placement.NodeSelector = map[string]string{k: v} }
}

func tolerate(t ecp.Toleration) func(*ecp.HostedSpec) {
	return func(s *ecp.HostedSpec) { s.Placement.Tolerations = []ecp.Toleration{t} }
}

func balanced(class string) func(*ecp.HostedSpec) {
	return func(s *ecp.HostedSpec) { s.Network.Type, s.Network.LoadBalancerClass = ecp.LoadBalancer, class }
}

func threeWrong(s *ecp.HostedSpec) {
	s.Nodes, s.Connections, s.Config = 0, 0, map[string]string{"B": "", "A": ""}
}

func TestHostedSpecs(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(specCases)) {
		c := specCases[name]
		t.Run(name, func(t *testing.T) {
			s := ecp.HostedSpec{Nodes: 3, Connections: 1000}
			fillIn(&s)
			c.change(&s)
			var p fault.Fields
			validate.Hosted(&p, s)
			require.Equal(t, c.fields, fieldsOf(p), "%+v", p)
			if c.fields != nil {
				require.ErrorIs(t, p.Err("create"), ecp.ErrInvalid)
			} else {
				require.NoError(t, p.Err("create"))
			}
		})
	}
}

func TestSpecDefaults(t *testing.T) {
	s := ecp.HostedSpec{Network: ecp.Network{Listeners: []ecp.Listener{{Protocol: ecp.WSS}}}}
	fillIn(&s)
	require.Equal(t, []ecp.Listener{{Protocol: ecp.WSS, Port: 8084}}, s.Network.Listeners)
	s = ecp.HostedSpec{}
	fillIn(&s)
	require.Equal(t, []ecp.Listener{{Protocol: ecp.MQTT, Port: 1883}, {
		Protocol: ecp.MQTTS,
		Port:     8883,
	}, {Protocol: ecp.WS, Port: 8083}, {Protocol: ecp.WSS, Port: 8084}}, s.Network.Listeners)
	require.Equal(t, ecp.HostedSpec{Power: ecp.PowerOn, Target: "default", Network: s.Network}, s)
	require.Equal(t, ecp.ClusterIP, s.Network.Type)
}

func TestAdoptedSpecs(t *testing.T) {
	for n, good := range map[int]bool{
		0:                      true,
		5:                      true,
		-1:                     false,
		ecp.MaxConnections:     true,
		ecp.MaxConnections + 1: false,
	} {
		var p fault.Fields
		(&Manager{}).validateAdopted(&p, ecp.AdoptedSpec{Connections: n}, ecp.AdoptedSpec{})
		require.Equal(t, good, len(p) == 0, "%d", n)
	}
}

func TestIDs(t *testing.T) {
	for id, good := range map[ecp.ID]bool{
		"emqx-0a1b2c3d":    true,
		newID():            true,
		"emqx-0A1b2c3d":    false,
		"emqx-0a1b2c3":     false,
		"emqx-0a1b2c3d\n":  false,
		"x":                false,
		"../emqx-0a1b2c3d": false,
	} {
		require.Equal(t, good, id.Valid(), "%q", id)
	}
	require.NotEqual(t, newID(), newID())
	require.Regexp(t, `^op-[0-9a-f]{16}$`, newOperationID())
}
