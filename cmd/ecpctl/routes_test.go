package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// verbOf says which command makes each call of the API, as it is typed behind ecpctl. A
// text in brackets is the reason why none does.
var verbOf = map[string]string{
	"listAudit": "audit", "exportAudit": "audit export",

	"listCertificates": "catalog certificate list", "createCertificate": "catalog certificate create",
	"getCertificate": "catalog certificate get", "updateCertificate": "catalog certificate update",
	"deleteCertificate": "catalog certificate delete",
	"listImages":        "catalog image list", "createImage": "catalog image create", "getImage": "catalog image get",
	"updateImage": "catalog image update", "deleteImage": "catalog image delete",
	"listLBProfiles": "catalog lb-profile list", "createLBProfile": "catalog lb-profile create",
	"getLBProfile": "catalog lb-profile get", "updateLBProfile": "catalog lb-profile update",
	"deleteLBProfile": "catalog lb-profile delete",
	"listLicenses":    "catalog license list", "createLicense": "catalog license create",
	"getLicense": "catalog license get", "updateLicense": "catalog license update",
	"deleteLicense":  "catalog license delete",
	"listRegistries": "catalog registry list", "createRegistry": "catalog registry create",
	"getRegistry": "catalog registry get", "updateRegistry": "catalog registry update",
	"deleteRegistry": "catalog registry delete",
	"listSizes":      "catalog size list", "createSize": "catalog size create", "getSize": "catalog size get",
	"updateSize": "catalog size update", "deleteSize": "catalog size delete",
	"listTargets": "catalog target list", "createTarget": "catalog target create", "getTarget": "catalog target get",
	"updateTarget": "catalog target update", "deleteTarget": "catalog target delete",
	"acceptPlatform": "catalog target accept", "getPool": "pool", "updatePool": "pool",

	"listClusters": "cluster list", "createCluster": "cluster create", "getCluster": "cluster get",
	"updateCluster": "cluster update", "deleteCluster": "cluster delete", "connectionsCluster": "cluster connections",
	"imageCluster": "cluster image", "networkCluster": "cluster network", "putBackCluster": "cluster put-back",
	"repairCluster": "cluster repair", "resizeCluster": "cluster resize", "restartCluster": "cluster restart",
	"scaleCluster": "cluster scale", "startCluster": "cluster start", "stopCluster": "cluster stop",
	"takeOverCluster": "cluster take-over", "transferCluster": "cluster transfer",
	"settingsPutBackCluster":  "cluster settings put-back",
	"settingsTakeOverCluster": "cluster settings take-over", "getSettingsDrift": "cluster settings drift",
	"explainCluster": "cluster explain", "readLogs": "cluster logs", "listNodes": "cluster nodes",
	"listAlarms": "cluster alarms", "listConnectors": "cluster connectors", "listRules": "cluster rules",
	"listHistory": "cluster history", "getMetrics": "cluster metrics", "getStats": "cluster stats",
	"openDashboard": "cluster dashboard", "setupCluster": "cluster setup",
	"getBroker": "cluster api", "postBroker": "cluster api", "putBroker": "cluster api",
	"patchBroker": "cluster api", "deleteBroker": "cluster api", "headBroker": "cluster api",
	"listAgents": "agent list", "removeAgent": "agent remove",
	"listRegistrations": "registration list", "deleteRegistration": "registration revoke",
	"listUnrecorded": "unrecorded list", "takeOverUnrecorded": "unrecorded take-over",
	"removeUnrecorded": "unrecorded delete",

	"listOperations": "op list", "getOperation": "op get", "cancelOperation": "op cancel", "watchEvents": "events",
	"getOverview": "overview", "getProjectOverview": "overview",

	"login": "login", "logout": "logout", "getMe": "whoami", "changePassword": "password", "listRoles": "roles",
	"listOrgs": "org list", "createOrg": "org create", "getOrg": "org get", "updateOrg": "org update",
	"deleteOrg": "org delete", "getOrgQuota": "org quota", "updateOrgQuota": "org quota",
	"listProjects": "project list", "createProject": "project create", "getProject": "project get",
	"updateProject": "project update", "deleteProject": "project delete", "getProjectQuota": "project quota",
	"updateProjectQuota": "project quota",
	"listTokens":         "token list", "createToken": "token create", "getToken": "token get",
	"deleteToken": "token delete",
	"listUsers":   "user list", "createUser": "user create", "getUser": "user get", "updateUser": "user update",
	"deleteUser": "user delete", "unlockUser": "user unlock",

	"listDaemons": "daemon list",

	"getVersion": "version", "readyz": "doctor",

	"signIn":  "(for browsers; login is the same for people at a terminal)",
	"signOut": "(for browsers; logout is the same)",

	"listPrometheusTargets": "(for Prometheus, which reads it itself)",
	"healthz":               "(for what keeps the process running; doctor asks /readyz)",
	"openapi":               "(for programs that make clients; curl needs no token for it)",
	"docs":                  "(a page for browsers)", "docsFile": "(a part of that page)",
}

// TestEveryCallHasACommand holds the commands to the API's document: a call that is new
// there has to get a command, or a reason for none.
func TestEveryCallHasACommand(t *testing.T) {
	b, err := os.ReadFile("../../httpapi/openapi.json")
	require.NoError(t, err)
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal(b, &doc))
	known := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, raw := range methods {
			var operation struct{ OperationID string }
			if json.Unmarshal(raw, &operation) != nil || operation.OperationID == "" {
				continue // such as the parameters of all methods
			}
			known[operation.OperationID] = true
			require.NotEmpty(t, verbOf[operation.OperationID], "%s %s (%s): say in verbOf which command makes "+
				"the call, or why none does", strings.ToUpper(method), path, operation.OperationID)
		}
	}
	require.Greater(t, len(known), 100)
	root := newRoot(&app{terminal: terminal{out: &bytes.Buffer{}, err: &bytes.Buffer{}}})
	commands := map[string]bool{}
	eachCommand(root, func(c *cobra.Command) {
		if c.Annotations[onlyHolds] == "" {
			commands[strings.TrimPrefix(c.CommandPath(), "ecpctl ")] = true
		}
	})
	for id, verb := range verbOf {
		require.True(t, known[id], "the API has no %s any more", id)
		require.True(t, strings.HasPrefix(verb, "(") || commands[verb], "%s: there is no command %q", id, verb)
	}
}
