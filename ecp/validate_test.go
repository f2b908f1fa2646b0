package ecp

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNames(t *testing.T) {
	for name, wrong := range map[string]string{
		"a":                      "",
		"7":                      "",
		"生产集群 01":                "",
		"Кластер_два-2":          "",
		"مجموعة":                 "",
		"क्लस्टर":                "",            // vowels and joins are marks of their own
		"e\u0301tude":            "write it as", // it looks like the next one
		"\u00e9tude":             "",
		"٣":                      "", // a digit of another script
		"two  spaces inside":     "",
		strings.Repeat("x", 200): "",
		strings.Repeat("集", 200): "",
		"":                       "is missing",
		strings.Repeat("x", 201): "has 201 characters",
		strings.Repeat("集", 201): "has 201 characters",
		" a":                     "begins or ends with a space",
		"a ":                     "begins or ends with a space",
		" ":                      "begins or ends with a space",
		"a\tb":                   "has the character",
		"a\u00a0b":               "has the character",
		"a\nb":                   "has the character",
		"a/b":                    "has the character",
		"a.b":                    "has the character",
		"<b>":                    "has the character",
		"party 🎉":                "has the character",
		"1\ufe0f\u20e3":          "has the character", // a digit made an emoji
		"a\ufe0f":                "has the character", // looks like "a"
		"\u3164":                 "has the character", // a letter nobody sees
		"a\u200db":               "has the character", // a joiner nobody sees
		"\u0301a":                "has the character", // a mark without its letter
		"a\x00":                  "has the character",
		"a\xff":                  "is not valid UTF-8",
	} {
		if got := ValidateName(name); wrong == "" {
			require.Empty(t, got, "%q", name)
		} else {
			require.Contains(t, got, wrong, "%q", name)
		}
	}
}

func TestProjectPaths(t *testing.T) {
	for path, good := range map[string]bool{
		"default/default": true, "a/b": true, "org-1/team-2": true, strings.Repeat("a", 63) + "/b": true,
		"": false, "a": false, "/a": false, "a/": false, "a/b/c": false, "A/b": false, "-a/b": false, "a-/b": false, "a_b/c": false,
		"a/b\n": false, strings.Repeat("a", 64) + "/b": false, "a/..": false,
	} {
		require.Equal(t, good, ValidateProject(path) == "", "%q", path)
	}
}

func TestDescriptions(t *testing.T) {
	for description, fields := range map[string][]string{
		"":                       nil,
		"any 🎉 text\nis fine":    nil,
		strings.Repeat("述", 500): nil,
		strings.Repeat("述", 501): {"description"},
		"\xff":                   {"description"},
	} {
		var p problems
		validateText(&p, "a", description)
		require.Equal(t, fields, fieldsOf(p), "%.20q", description)
	}
}

func fieldsOf(p problems) []string {
	var out []string
	for _, f := range p {
		out = append(out, f.Field)
	}
	return out
}

// specCases change a good spec; the fields are those that are then wrong.
var specCases = map[string]struct {
	change func(*HostedSpec)
	fields []string
}{
	"good":                    {func(*HostedSpec) {}, nil},
	"no nodes":                {func(s *HostedSpec) { s.Nodes = 0 }, []string{"spec.nodes"}},
	"seven nodes":             {func(s *HostedSpec) { s.Nodes = 7 }, nil},
	"eight nodes":             {func(s *HostedSpec) { s.Nodes = 8 }, []string{"spec.nodes"}},
	"negative nodes":          {func(s *HostedSpec) { s.Nodes = -1 }, []string{"spec.nodes"}},
	"no connections":          {func(s *HostedSpec) { s.Connections = 0 }, []string{"spec.connections"}},
	"too many connections":    {func(s *HostedSpec) { s.Connections = MaxConnections + 1 }, []string{"spec.connections"}},
	"unknown power":           {func(s *HostedSpec) { s.Power = "standby" }, []string{"spec.power"}},
	"unknown network":         {func(s *HostedSpec) { s.Network.Type = "clusterip" }, []string{"spec.network.type"}},
	"class without balancer":  {func(s *HostedSpec) { s.Network.LoadBalancerClass = "a/b" }, []string{"spec.network.loadBalancerClass"}},
	"class with a space":      {balanced("a b"), []string{"spec.network.loadBalancerClass"}},
	"class":                   {balanced("example.com/internal"), nil},
	"unknown protocol":        {listeners(Listener{"quic", 14567}), []string{"spec.network.listeners[0].protocol"}},
	"port 0":                  {listeners(Listener{MQTT, 0}), []string{"spec.network.listeners[0].port"}},
	"port 65536":              {listeners(Listener{MQTT, 1883}, Listener{WS, 65536}), []string{"spec.network.listeners[1].port"}},
	"highest port":            {listeners(Listener{MQTT, 65535}), nil},
	"the same protocol twice": {listeners(Listener{MQTT, 1883}, Listener{MQTT, 1884}), []string{"spec.network.listeners[1].protocol"}},
	"the same port twice":     {listeners(Listener{MQTT, 1883}, Listener{WS, 1883}), []string{"spec.network.listeners[1].port"}},
	"negative rate":           {func(s *HostedSpec) { s.Evacuation.Rate = -1 }, []string{"spec.evacuation.rate"}},
	"negative deadline":       {func(s *HostedSpec) { s.Evacuation.DeadlineS = -1 }, []string{"spec.evacuation.deadline"}},
	"unknown end":             {func(s *HostedSpec) { s.Evacuation.OnDeadline = "panic" }, []string{"spec.evacuation.onDeadline"}},
	"known end":               {func(s *HostedSpec) { s.Evacuation.OnDeadline = StopAtTime }, nil},

	"a setting":                        {config("mqtt.max_packet_size", "2MB"), nil},
	"a setting in capitals":            {config("MQTT.x", "1"), []string{"spec.config[MQTT.x]"}},
	"a setting with a space":           {config("a b", "1"), []string{"spec.config[a b]"}},
	"an empty setting":                 {config("", "1"), []string{"spec.config[]"}},
	"a value of two lines":             {config("a", "1\nnode.cookie = x"), []string{"spec.config[a]"}},
	"a setting of a control character": {config("a", "x\x01"), []string{"spec.config[a]"}},
	"a setting that is too large":      {config("a", strings.Repeat("x", MaxSetting+1)), []string{"spec.config[a]"}},
	"settings that are too large": {func(s *HostedSpec) {
		s.Config = map[string]string{}
		for i := range 5 {
			s.Config["a"+itoa(i)] = strings.Repeat("x", MaxSetting)
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
	"the dashboard's user":          {config("dashboard.default_username", "x"), []string{"spec.config[dashboard.default_username]"}},
	"the dashboard's password":      {config("dashboard.default_user.password", "x"), []string{"spec.config[dashboard.default_user.password]"}},
	"a whole that has ours":         {config("dashboard", `{"listeners":{}}`), []string{"spec.config[dashboard]"}},
	"beside the dashboard's":        {config("dashboard.token_expired_time", "1h"), nil},
	"a setting of ours":             {config("node.cookie", "x"), []string{"spec.config[node.cookie]"}},
	"a whole part of ours":          {config("cluster", "x"), []string{"spec.config[cluster]"}},
	"a setting beside ours":         {config("nodes.a", "x"), nil},

	"an annotation":                 {annotation("service.beta.kubernetes.io/aws-load-balancer-type", "nlb"), nil},
	"an annotation without domain":  {annotation("Team", "any value \n at all"), nil},
	"an annotation with a NUL":      {annotation("a", "x\x00y"), []string{"spec.network.annotations[a]"}},
	"an annotation turned round":    {annotation("a", "x\u202ey"), []string{"spec.network.annotations[a]"}},
	"an annotation of two slashes":  {annotation("a/b/c", ""), []string{"spec.network.annotations[a/b/c]"}},
	"an annotation with a space":    {annotation("a b", ""), []string{"spec.network.annotations[a b]"}},
	"an annotation without a word":  {annotation("example.com/", ""), []string{"spec.network.annotations[example.com/]"}},
	"an annotation that is long":    {annotation(strings.Repeat("a", 64), ""), []string{"spec.network.annotations[" + strings.Repeat("a", 64) + "]"}},
	"an annotation of ours":         {annotation("openecp.io/cluster", ""), []string{"spec.network.annotations[openecp.io/cluster]"}},
	"an annotation below ours":      {annotation("x.openecp.io/y", ""), []string{"spec.network.annotations[x.openecp.io/y]"}},
	"annotations beyond 256 KiB":    {annotation("a", strings.Repeat("x", 256<<10)), []string{"spec.network.annotations"}},
	"a selector":                    {selector("kubernetes.io/arch", "arm64"), nil},
	"a selector without a value":    {selector("gpu", ""), nil},
	"a selector with a bad key":     {selector("a b", "x"), []string{"spec.placement.nodeSelector[a b]"}},
	"a selector with a bad value":   {selector("a", "x y"), []string{"spec.placement.nodeSelector[a]"}},
	"tolerate everything":           {tolerate(Toleration{Operator: "Exists"}), nil},
	"tolerate a taint":              {tolerate(Toleration{Key: "a", Value: "b", Effect: "NoSchedule"}), nil},
	"an unknown operator":           {tolerate(Toleration{Key: "a", Operator: "In"}), []string{"spec.placement.tolerations[0].operator"}},
	"an unknown effect":             {tolerate(Toleration{Key: "a", Effect: "Never"}), []string{"spec.placement.tolerations[0].effect"}},
	"equal to nothing":              {tolerate(Toleration{Operator: "Equal"}), []string{"spec.placement.tolerations[0].key"}},
	"a taint with a bad key":        {tolerate(Toleration{Key: "a b"}), []string{"spec.placement.tolerations[0].key"}},
	"exists with a value":           {tolerate(Toleration{Key: "a", Operator: "Exists", Value: "b"}), []string{"spec.placement.tolerations[0].value"}},
	"a taint with a bad value":      {tolerate(Toleration{Key: "a", Value: "b c"}), []string{"spec.placement.tolerations[0].value"}},
	"a storage class":               {func(s *HostedSpec) { s.Storage = "fast-ssd.example" }, nil},
	"a storage class in capitals":   {func(s *HostedSpec) { s.Storage = "Fast" }, []string{"spec.storage"}},
	"three things, in their order":  {threeWrong, []string{"spec.nodes", "spec.connections", "spec.config[A]", "spec.config[B]"}},
	"both names of a listener good": {listeners(Listener{MQTTS, 443}, Listener{WSS, 8443}), nil},
}

func listeners(l ...Listener) func(*HostedSpec) {
	return func(s *HostedSpec) { s.Network.Listeners = l }
}

func config(k, v string) func(*HostedSpec) {
	return func(s *HostedSpec) { s.Config = map[string]string{k: v} }
}

func annotation(k, v string) func(*HostedSpec) {
	return func(s *HostedSpec) { s.Network.Annotations = map[string]string{k: v} }
}

func selector(k, v string) func(*HostedSpec) {
	return func(s *HostedSpec) { s.Placement.NodeSelector = map[string]string{k: v} }
}

func tolerate(t Toleration) func(*HostedSpec) {
	return func(s *HostedSpec) { s.Placement.Tolerations = []Toleration{t} }
}

func balanced(class string) func(*HostedSpec) {
	return func(s *HostedSpec) { s.Network.Type, s.Network.LoadBalancerClass = LoadBalancer, class }
}

func threeWrong(s *HostedSpec) {
	s.Nodes, s.Connections, s.Config = 0, 0, map[string]string{"B": "", "A": ""}
}

func TestHostedSpecs(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(specCases)) {
		c := specCases[name]
		t.Run(name, func(t *testing.T) {
			s := HostedSpec{Nodes: 3, Connections: 1000}
			fillIn(&s)
			c.change(&s)
			var p problems
			validateHosted(&p, s)
			require.Equal(t, c.fields, fieldsOf(p), "%+v", p)
			if c.fields != nil {
				require.ErrorIs(t, p.err("create"), ErrInvalid)
			} else {
				require.NoError(t, p.err("create"))
			}
		})
	}
}

func TestSpecDefaults(t *testing.T) {
	s := HostedSpec{Network: Network{Listeners: []Listener{{Protocol: WSS}}}}
	fillIn(&s)
	require.Equal(t, []Listener{{WSS, 8084}}, s.Network.Listeners)
	s = HostedSpec{}
	fillIn(&s)
	require.Equal(t, []Listener{{MQTT, 1883}, {MQTTS, 8883}, {WS, 8083}, {WSS, 8084}}, s.Network.Listeners)
	require.Equal(t, HostedSpec{Power: PowerOn, Target: "default", Network: s.Network}, s)
	require.Equal(t, ClusterIP, s.Network.Type)
}

func TestAdoptedSpecs(t *testing.T) {
	for n, good := range map[int]bool{0: true, 5: true, -1: false, MaxConnections: true, MaxConnections + 1: false} {
		var p problems
		(&Manager{}).validateAdopted(&p, AdoptedSpec{Connections: n}, AdoptedSpec{})
		require.Equal(t, good, len(p) == 0, "%d", n)
	}
}

func TestIDs(t *testing.T) {
	for id, good := range map[ID]bool{"emqx-0a1b2c3d": true, newID(): true, "emqx-0A1b2c3d": false, "emqx-0a1b2c3": false, "emqx-0a1b2c3d\n": false, "x": false, "../emqx-0a1b2c3d": false} {
		require.Equal(t, good, id.Valid(), "%q", id)
	}
	require.NotEqual(t, newID(), newID())
	require.Regexp(t, `^op-[0-9a-f]{16}$`, newOperationID())
}
