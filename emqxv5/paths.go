package emqxv5

import "github.com/openecp/openecp/internal/emqxhttp"

// The paths of the calls, and that of a call that only the previous major has.
const (
	root = "/api/v5"

	loginPath     = root + "/login"
	logoutPath    = root + "/logout"
	statusPath    = root + "/status"
	nodesPath     = root + "/nodes"
	clusterPath   = root + "/cluster"
	licensePath   = root + "/license"
	settingPath   = root + "/license/setting"
	currentPath   = root + "/monitor_current"
	seriesPath    = root + "/monitor"
	statsPath     = root + "/stats"
	metricsPath   = root + "/metrics"
	alarmsPath    = root + "/alarms"
	rulesPath     = root + "/rules"
	connectorPath = root + "/connectors"
	actionPath    = root + "/actions"
	sourcePath    = root + "/sources"
	listenersPath = root + "/listeners"
	rebalancePath = root + "/load_rebalance"
	globalPath    = rebalancePath + "/global_status"
	takesPath     = rebalancePath + "/availability_check"
	expoPath      = root + "/prometheus/stats"

	olderPath = "/api/v4/nodes"
)

func invitePath(node string) string {
	return clusterPath + "/" + emqxhttp.Segment(node) + "/invite"
}

func leavePath(node string) string {
	return clusterPath + "/" + emqxhttp.Segment(node) + "/force_leave"
}

// evacuationPath returns the path that starts or stops an evacuation.
func evacuationPath(node, what string) string {
	return rebalancePath + "/" + emqxhttp.Segment(node) + "/evacuation/" + what
}

func nodePath(node string) string { return nodesPath + "/" + emqxhttp.Segment(node) }

func listenerPath(id string) string { return listenersPath + "/" + emqxhttp.Segment(id) }
