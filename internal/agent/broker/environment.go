package broker

// environment is a set of variables that hold settings.
type environment struct {
	names string // for people
	read  func(getenv func(string) string) Settings
}

// environments are those that are read, the agent's own first. EMQX' own are there
// where the agent runs in EMQX' container.
var environments = []environment{
	{"EMQXEE_AGENT_EMQX_…", func(getenv func(string) string) Settings {
		if getenv == nil {
			return Settings{}
		}
		get := func(name string) string { return getenv("EMQXEE_AGENT_EMQX_" + name) }
		return Settings{
			DashboardURL: get("DASHBOARD_URL"), APIURL: get("API_URL"),
			Username: get("DASHBOARD_USERNAME"), Password: get("DASHBOARD_PASSWORD"),
			APIKey: get("API_KEY"), APISecret: get("API_SECRET"),
			CAFile: get("CA_FILE"), SkipVerify: yes(get("SKIP_VERIFY")),
			LogDir: get("LOG_COLLECTION_DIR"), LogCollection: yes(get("LOG_COLLECTION_ENABLED")),
			ReadOnly: yes(get("READ_ONLY")),
		}
	}},
}

func yes(text string) bool { return text == "true" || text == "1" || text == "yes" || text == "on" }
