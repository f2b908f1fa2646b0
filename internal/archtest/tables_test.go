package archtest

// module is the path every package of the tree begins with.
const module = "github.com/openecp/openecp"

// layer is what one package of the module (or, with "/...", a tree of them)
// may import of the module. Paths are below the module's root.
type layer struct {
	pkg   string
	code  []string // by its code
	tests []string // by its tests, beside what code and testKit allow
}

// testKit is what every package's tests may import of the module, unless the
// package has to stand alone.
var testKit = []string{"ecp", "ecp/change", "ecp/tenancy", "ecp/agents", "ecp/logs", "ecp/monitor", "ecp/access",
	"ecp/fleet", "ecp/memstore", "ecp/ecptest", "emqxsim", "internal/kubelab/...", "internal/browsertest",
	"internal/processtest", "internal/pgtest"}

// public is what a program outside the module could import too.
var public = []string{
	"ecp", "ecp/change", "ecp/catalog", "ecp/tenancy", "ecp/monitor", "ecp/agents", "ecp/logs", "ecp/access",
	"ecp/fleet", "ecp/memstore", "ecp/ecptest", "emqxv4", "emqxv5", "k8sprovisioner", "agentproto", "adopt",
	"emqxsim", "sqlstore", "peers", "argon2id", "proxy", "httpapi", "ecpmetrics", "client",
}

// layers is the table of docs/architecture.md. The first row that matches a
// package counts.
var layers = []layer{
	// The rooms: ecp has the words, contracts and pure tables; change is the one door
	// for changes; catalog and tenancy know nothing of one another or of clusters.
	// observed is what monitor, agents, logs and the Manager in fleet share: what was
	// last observed, and the ways to brokers. An embedder compiles nothing from
	// elsewhere: emqxlog, which tells log lines by level and time, is pure.
	{pkg: "ecp", code: []string{"ecp/internal/setting", "internal/emqxlog"}},
	{pkg: "ecp/internal/setting"},
	{pkg: "ecp/internal/random"},
	{pkg: "ecp/internal/timekey"},
	{pkg: "ecp/internal/cron"},
	{pkg: "ecp/internal/fault", code: []string{"ecp"}},
	{pkg: "ecp/internal/validate", code: []string{"ecp", "ecp/internal/setting", "ecp/internal/fault",
		"ecp/internal/cron"}},
	{pkg: "ecp/internal/mapstore", code: []string{"ecp"}},
	{pkg: "ecp/internal/sched", code: []string{"ecp"}},
	{pkg: "ecp/internal/drift", code: []string{"ecp", "ecp/internal/setting"}},
	{pkg: "ecp/internal/derive", code: []string{"ecp", "ecp/internal/setting", "ecp/internal/random",
		"ecp/internal/cron", "ecp/internal/drift"},
		tests: []string{"ecp/catalog"}},
	{pkg: "ecp/internal/adopted", code: []string{"ecp", "ecp/internal/derive"}},
	{pkg: "ecp/change", code: []string{"ecp", "ecp/internal/setting", "ecp/internal/fault", "ecp/internal/random",
		"ecp/internal/timekey"}, tests: []string{"ecp/internal/mapstore"}},
	{pkg: "ecp/catalog", code: []string{"ecp", "ecp/internal/fault", "ecp/change", "ecp/internal/validate"},
		tests: []string{"ecp/internal/mapstore", "ecp/memstore"}},
	{pkg: "ecp/tenancy", code: []string{"ecp", "ecp/internal/fault", "ecp/change", "ecp/internal/random",
		"ecp/internal/validate"}, tests: []string{"ecp/internal/mapstore"}},
	{pkg: "ecp/internal/observed",
		code: []string{"ecp", "ecp/internal/setting", "ecp/internal/fault", "ecp/change", "ecp/catalog",
			"ecp/internal/adopted", "ecp/internal/derive", "ecp/internal/sched"},
		tests: []string{"ecp/internal/mapstore"}},
	{pkg: "ecp/monitor", code: []string{"ecp", "ecp/internal/fault", "ecp/tenancy", "ecp/internal/derive",
		"ecp/internal/observed"}, tests: []string{"emqxv5"}},
	{pkg: "ecp/agents", code: []string{"ecp", "ecp/internal/fault", "ecp/change", "ecp/internal/adopted",
		"ecp/internal/derive", "ecp/internal/observed", "ecp/internal/random", "ecp/internal/timekey"}},
	{pkg: "ecp/logs", code: []string{"ecp", "ecp/internal/setting", "ecp/internal/fault", "ecp/catalog", "ecp/tenancy",
		"ecp/internal/derive", "ecp/internal/observed", "ecp/internal/sched", "ecp/internal/validate",
		"internal/emqxlog"},
		tests: []string{"emqxv5"}},
	{pkg: "ecp/access", code: []string{"ecp", "ecp/internal/fault", "ecp/internal/observed"},
		tests: []string{"emqxv5"}},
	{pkg: "ecp/fleet", code: []string{"ecp", "ecp/internal/setting", "ecp/internal/fault", "ecp/change", "ecp/catalog",
		"ecp/tenancy", "ecp/monitor", "ecp/access", "ecp/agents", "ecp/logs", "ecp/fleet/internal/...",
		"ecp/internal/adopted", "ecp/internal/derive", "ecp/internal/observed", "ecp/internal/random",
		"ecp/internal/sched", "ecp/internal/validate", "internal/emqxlog"},
		tests: []string{"ecp/internal/mapstore", "emqxv4", "emqxv5", "sqlstore"}},
	{pkg: "ecp/fleet/internal/brokers",
		code: []string{"ecp", "ecp/change", "ecp/internal/derive", "ecp/internal/drift", "ecp/internal/fault",
			"ecp/internal/observed", "ecp/internal/setting", "ecp/fleet/internal/mqttprobe"}},
	{pkg: "ecp/fleet/internal/limits",
		code: []string{"ecp", "ecp/change", "ecp/internal/adopted", "ecp/internal/derive", "ecp/internal/observed",
			"ecp/internal/sched"}},
	{pkg: "ecp/fleet/internal/pruning",
		code: []string{"ecp", "ecp/agents", "ecp/change", "ecp/tenancy", "ecp/internal/observed"}},
	{pkg: "ecp/fleet/internal/putback", code: []string{"ecp", "ecp/internal/derive", "ecp/internal/setting"}},
	{pkg: "ecp/fleet/internal/sealing",
		code: []string{"ecp", "ecp/internal/setting", "ecp/internal/fault", "ecp/change", "ecp/internal/observed"}},
	{pkg: "ecp/fleet/internal/shards", code: []string{"ecp", "ecp/internal/random"}},
	{pkg: "ecp/fleet/internal/...", code: []string{"ecp"}},
	{pkg: "ecp/memstore", code: []string{"ecp"}},
	{pkg: "ecp/ecptest", code: []string{"ecp", "ecp/memstore"}},

	// An adapter is an HTTP client and knows nothing of tunnels or Kubernetes.
	{pkg: "emqxv4", code: []string{"ecp", "internal/emqxhttp"}, tests: []string{"internal/emqxtest"}},
	{pkg: "emqxv5", code: []string{"ecp", "internal/emqxhttp", "internal/hocon"}, tests: []string{"internal/emqxtest"}},
	{pkg: "internal/emqxhttp", code: []string{"ecp"}},
	{pkg: "internal/emqxtest", code: []string{"ecp", "ecp/ecptest", "emqxsim"}},
	{pkg: "internal/hocon"},
	{pkg: "emqxsim", code: []string{"ecp", "internal/hocon"}, tests: []string{"emqxv4", "emqxv5"}},
	{pkg: "emqxsim/cmd/...", code: []string{"ecp", "emqxsim"}},

	{pkg: "k8sprovisioner", code: []string{"ecp", "internal/hocon"}, tests: []string{"emqxv4", "emqxv5", "sqlstore"}},
	{pkg: "sqlstore", code: []string{"ecp"}},
	{pkg: "argon2id"},

	// The agent's protocol is usable without OpenECP.
	{pkg: "agentproto", code: []string{"internal/atomicfile"}},
	// The daemons that share a Store speak to one another by peers.
	{pkg: "peers", code: []string{"ecp", "ecp/catalog"}},
	{pkg: "adopt", code: []string{"ecp", "ecp/agents", "ecp/fleet", "agentproto", "peers"},
		tests: []string{"emqxv4", "emqxv5"}},

	// What the agent's program runs. It asks the broker by the adapters that the
	// Manager uses.
	{pkg: "internal/agent", code: []string{"ecp", "agentproto", "emqxv4", "emqxv5", "internal/agent/...",
		"internal/emqxlog"}},
	{pkg: "internal/agent/logs", code: []string{"internal/emqxlog"}},
	{pkg: "internal/agent/...", code: []string{"ecp", "agentproto", "emqxv4", "emqxv5", "internal/agent/...",
		"internal/atomicfile"}},

	{pkg: "proxy", code: []string{"ecp", "ecp/access", "ecp/fleet"}},
	{pkg: "httpapi", code: []string{"ecp", "ecp/change", "ecp/catalog", "ecp/tenancy", "ecp/monitor", "ecp/agents",
		"ecp/access", "ecp/fleet", "adopt", "proxy"}, tests: []string{"emqxv4", "emqxv5", "sqlstore"}},
	{pkg: "ecpmetrics", code: []string{"ecp", "ecp/agents", "ecp/monitor", "ecp/fleet"},
		tests: []string{"emqxv4", "emqxv5"}},

	// The client of the API, and the command line on it, have the words of ecp and nothing
	// of the server.
	{pkg: "client", code: []string{"ecp"}},
	{pkg: "cmd/ecpctl", code: []string{"client", "ecp", "internal/atomicfile"}},

	// Programs wire parts together; nobody imports them.
	{pkg: "cmd/...", code: append([]string{"internal/atomicfile", "internal/emqxlog", "internal/agent",
		"internal/agent/...", "internal/docsite", "docs", "console"}, public...)},
	{pkg: "examples/...", code: public},

	{pkg: "tools/kubebuild", code: []string{"internal/kubelab"}},
	{pkg: "tools/..."},

	// The pages, and what shows them.
	{pkg: "docs"},
	{pkg: "console"},
	{pkg: "internal/docsite", tests: []string{"docs"}},

	{pkg: "internal/atomicfile"},
	{pkg: "internal/emqxlog"},
	{pkg: "internal/archtest"},
	{pkg: "internal/faulttest", tests: []string{"agentproto", "internal/agent"}},
	{pkg: "internal/drilltest", tests: []string{"emqxv5", "sqlstore", "httpapi", "client"}},
	{pkg: "internal/browsertest"},
	{pkg: "internal/processtest"},
	{pkg: "internal/pgtest", code: []string{"internal/processtest"}},
	{pkg: "internal/kubelab"},
	{pkg: "internal/kubelab/...", code: []string{"ecp", "emqxsim", "internal/kubelab/..."}},
}

// standAlone are the packages whose tests get no testKit.
var standAlone = []string{"agentproto", "internal/archtest", "internal/emqxlog", "tools/..."}

// outside is a module of somebody else, or a family of them.
type outside struct {
	prefix string   // of the import path, whole path elements
	code   []string // packages whose code may import it
	tests  []string // packages whose tests may import it, beside those in code
	why    string   // what it does for us that the standard library does not
}

// everywhere as the only entry of outside.tests: test files of every package,
// and packages whose name ends in "test".
var everywhere = []string{"..."}

// outsides is the whole list of modules the tree may import. A new one needs a
// reason here and the packages it is kept to.
var outsides = []outside{
	{prefix: "k8s.io/client-go/util/jsonpath", code: []string{"cmd/ecpctl"},
		why: "-o jsonpath= means what it means to kubectl"},
	{prefix: "k8s.io", code: []string{"k8sprovisioner", "internal/kubelab/podsim", "internal/kubelab/podexec",
		"internal/kubelab/emqxpod", "internal/kubelab/cmd/..."},
		why: "the Kubernetes API"},
	{prefix: "github.com/hashicorp/go-retryablehttp", code: []string{"internal/emqxhttp", "client"},
		why: "retries of idempotent calls to a broker, and to the API"},
	{prefix: "github.com/cenkalti/backoff/v4", code: []string{"agentproto"},
		why: "reconnecting with jitter"},
	{prefix: "github.com/coder/websocket", code: []string{"agentproto"},
		why: "the agent's connection through proxies"},
	{prefix: "golang.org/x/crypto", code: []string{"argon2id"},
		why: "argon2id, the slow hash for passwords; the standard library has PBKDF2 only, which costs an attacker " +
			"no memory"},
	{prefix: "golang.org/x/term", code: []string{"cmd/..."},
		why: "a password typed at a terminal is not shown; the standard library has no call for that"},
	{prefix: "modernc.org/sqlite", code: []string{"sqlstore"}, tests: []string{"cmd/ecpd"},
		why: "a database inside the daemon, without cgo"},
	{prefix: "github.com/pressly/goose/v3", code: []string{"sqlstore"},
		why: "numbered migrations"},
	{prefix: "github.com/jackc/pgx/v5", code: []string{"sqlstore", "internal/pgtest"},
		why: "PostgreSQL"},
	{prefix: "github.com/danielgtaylor/huma/v2", code: []string{"httpapi"},
		why: "OpenAPI made from typed handlers"},
	{prefix: "github.com/prometheus/client_golang", code: []string{"ecpmetrics", "cmd/ecpd"},
		why: "metrics in the format everybody scrapes"},
	{prefix: "github.com/yuin/goldmark", code: []string{"internal/docsite"},
		why: "the documentation, which is Markdown, as HTML"},
	{prefix: "github.com/spf13/cobra", code: []string{"cmd/..."},
		why: "commands and flags"},
	{prefix: "github.com/spf13/pflag", code: []string{"cmd/ecpd", "cmd/emqxee-agent", "cmd/ecpctl"},
		why: "the flags of cobra's commands have its types, and parse the same settings from variables and files"},
	{prefix: "go.yaml.in/yaml/v3", code: []string{"cmd/ecpd", "internal/agent", "internal/agent/..."},
		why: "settings with the line of each: what sigs.k8s.io/yaml is made on, which itself keeps no lines"},
	{prefix: "sigs.k8s.io/yaml", code: []string{"cmd/..."}, tests: everywhere,
		why: "strict YAML with the names of the JSON tags"},

	{prefix: "github.com/stretchr/testify", tests: everywhere, why: "assertions"},
	{prefix: "pgregory.net/rapid", tests: everywhere, why: "random sequences that shrink"},
	{prefix: "github.com/rogpeppe/go-internal", tests: []string{"cmd/ecpctl"},
		why: "sessions at a terminal as scripts with what they print"},
	{prefix: "go.uber.org/goleak", tests: everywhere, why: "goroutines nobody waits for"},
}

// exception lets one file break one rule of style_test.go or docs_test.go.
type exception struct {
	rule string // as the failure names it
	file string // path below the root
	why  string
}

// exceptions are reviewed like code: each says why the rule is worse here. One
// that is no longer needed fails the tests.
var exceptions = []exception{
	{rule: "context.Background", file: "internal/emqxhttp/detached.go",
		why: "what a client says when it is closed follows its last call, whose context has ended; it has two seconds"},
	{rule: "context.Background", file: "agentproto/farewell.go",
		why: "whoever removes an agent does not wait until it has been told; the goodbye has Timings.Goodbye"},
	{rule: "context.Background", file: "ecpmetrics/ecpmetrics.go",
		why: "a Prometheus collector is handed no context: its calls begin there, bounded by Patience"},
}
