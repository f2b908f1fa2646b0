package broker

import (
	"cmp"
	"strings"
)

// ownVariables is the prefix of the agent's own variables.
const ownVariables = "EMQXEE_AGENT_EMQX_"

// fromEnvironment reads the agent's own variables.
func fromEnvironment(getenv func(string) string) Settings {
	get := func(name string) string { return getenv(ownVariables + name) }
	return Settings{
		DashboardURL: get("DASHBOARD_URL"), APIURL: get("API_URL"),
		Username: get("DASHBOARD_USERNAME"), Password: get("DASHBOARD_PASSWORD"),
		APIKey: get("API_KEY"), APISecret: get("API_SECRET"),
		CAFile: get("CA_FILE"), SkipVerify: yes(get("SKIP_VERIFY")),
		LogDir: get("LOG_COLLECTION_DIR"), LogCollection: yes(get("LOG_COLLECTION_ENABLED")),
		ReadOnly: yes(get("READ_ONLY")),
	}
}

func yes(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "1", "yes", "on":
		return true
	}
	return false
}

// fromEMQX reads EMQX's own variables, which exist if the agent runs in EMQX's container.
// Values may be quoted as in EMQX's configuration.
func fromEMQX(getenv func(string) string) values {
	v := values{}
	for name, key := range map[string]string{
		// 5.x
		"EMQX_DASHBOARD__DEFAULT_USERNAME":             keyUser,
		"EMQX_DASHBOARD__DEFAULT_PASSWORD":             keyPassword,
		"EMQX_DASHBOARD__LISTENERS__HTTP__BIND":        keyHTTP,
		"EMQX_DASHBOARD__LISTENERS__HTTPS__BIND":       keyHTTPS,
		"EMQX_API_KEY__BOOTSTRAP_FILE":                 keyKeysFile,
		"EMQX_NODE__DATA_DIR":                          keyDataDir,
		"EMQX_DASHBOARD__DEFAULT_USER__LOGIN":          key4User,
		"EMQX_DASHBOARD__DEFAULT_USER__PASSWORD":       key4Password,
		"EMQX_DASHBOARD__LISTENER__HTTP":               key4HTTP,
		"EMQX_DASHBOARD__LISTENER__HTTPS":              key4HTTPS,
		"EMQX_MANAGEMENT__LISTENER__HTTP":              key4API,
		"EMQX_MANAGEMENT__DEFAULT_APPLICATION__ID":     key4App,
		"EMQX_MANAGEMENT__DEFAULT_APPLICATION__SECRET": key4Secret,
		"EMQX_MANAGEMENT__BOOTSTRAP_APPS_FILE":         key4AppsFile,
	} {
		if text := strings.TrimSpace(getenv(name)); text != "" {
			v[key] = unquote(text)
		}
	}
	return v
}

// unquote removes HOCON's quotes.
func unquote(text string) string {
	for _, q := range []string{`"""`, `"`} {
		if len(text) >= 2*len(q) && strings.HasPrefix(text, q) && strings.HasSuffix(text, q) {
			return text[len(q) : len(text)-len(q)]
		}
	}
	return text
}

// values are settings of EMQX by the key that its configuration has for them.
type values map[string]string

// The keys that are looked for, of 5.x and of 4.4.
const (
	keyUser     = "dashboard.default_username"
	keyPassword = "dashboard.default_password"
	keyHTTP     = "dashboard.listeners.http.bind"
	keyHTTPS    = "dashboard.listeners.https.bind"
	keyKeysFile = "api_key.bootstrap_file"
	keyDataDir  = "node.data_dir"

	key4User     = "dashboard.default_user.login"
	key4Password = "dashboard.default_user.password"
	key4HTTP     = "dashboard.listener.http"
	key4HTTPS    = "dashboard.listener.https"
	key4API      = "management.listener.http"
	key4App      = "management.default_application.id"
	key4Secret   = "management.default_application.secret"
	key4AppsFile = "management.bootstrap_apps_file"
)

// over returns v with the values of w replacing its own.
func (v values) over(w values) values {
	out := values{}
	for _, m := range []values{v, w} {
		for k, text := range m {
			out[k] = text
		}
	}
	return out
}

func (v values) first(keys ...string) string {
	for _, k := range keys {
		if v[k] != "" {
			return v[k]
		}
	}
	return ""
}

// addresses returns the URLs that follow from the values. They are empty if unknown.
func (v values) addresses() Settings {
	s := Settings{APIURL: local("http", v[key4API])}
	s.DashboardURL = cmp.Or(local("http", v.first(keyHTTP, key4HTTP)), local("https", v.first(keyHTTPS, key4HTTPS)))
	return s
}
