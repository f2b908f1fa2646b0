package httpapi

import "github.com/openecp/openecp/ecp"

// anyToken stands for routes that any token may use; they show what belongs to the
// caller.
const anyToken ecp.Right = ""

// needs is the right that each operation asks for, by its id. The Manager decides; this
// table is for the document, and a test sends every request as every role to compare.
var needs = map[string]ecp.Right{
	"listClusters": ecp.RightRead, "getCluster": ecp.RightRead, "explainCluster": ecp.RightRead,
	"listNodes": ecp.RightRead, "listOperations": ecp.RightRead, "getOperation": ecp.RightRead,
	"watchEvents": ecp.RightRead,
	"getStats":    ecp.RightRead, "getMetrics": ecp.RightRead, "listAlarms": ecp.RightRead,
	"listRules": ecp.RightRead, "listConnectors": ecp.RightRead, "readLogs": ecp.RightRead,
	"listPrometheusTargets": ecp.RightRead, "getOverview": ecp.RightRead, "getProjectOverview": ecp.RightRead,
	"createCluster": ecp.RightWrite, "updateCluster": ecp.RightWrite, "deleteCluster": ecp.RightWrite,
	"startCluster": ecp.RightWrite, "stopCluster": ecp.RightWrite, "restartCluster": ecp.RightWrite,
	"repairCluster": ecp.RightWrite, "takeOverCluster": ecp.RightWrite, "putBackCluster": ecp.RightWrite,
	"transferCluster": ecp.RightWrite, "settingsPutBackCluster": ecp.RightWrite,
	"settingsTakeOverCluster": ecp.RightWrite, "getSettingsDrift": ecp.RightRead,
	"scaleCluster": ecp.RightWrite, "resizeCluster": ecp.RightWrite, "connectionsCluster": ecp.RightWrite,
	"imageCluster": ecp.RightWrite, "networkCluster": ecp.RightWrite, "cancelOperation": ecp.RightWrite,

	"setupCluster": ecp.RightWrite, "listRegistrations": ecp.RightWrite, "deleteRegistration": ecp.RightWrite,
	"listAgents": ecp.RightRead, "listHistory": ecp.RightRead, "removeAgent": ecp.RightWrite,

	// Package proxy checks once more which reads of a broker need more than this.
	"getBroker": ecp.RightRead, "headBroker": ecp.RightRead, "postBroker": ecp.RightWrite,
	"putBroker": ecp.RightWrite, "patchBroker": ecp.RightWrite, "deleteBroker": ecp.RightWrite,
	"openDashboard": ecp.RightRead,

	"listUnrecorded": ecp.RightAdmin, "takeOverUnrecorded": ecp.RightAdmin, "removeUnrecorded": ecp.RightAdmin,
	"listDaemons": ecp.RightAdmin,
	"listImages":  ecp.RightCatalog, "getImage": ecp.RightCatalog, "createImage": ecp.RightAdmin,
	"updateImage": ecp.RightAdmin, "deleteImage": ecp.RightAdmin,
	"listSizes": ecp.RightCatalog, "getSize": ecp.RightCatalog, "createSize": ecp.RightAdmin,
	"updateSize": ecp.RightAdmin, "deleteSize": ecp.RightAdmin,
	"listRegistries": ecp.RightAdmin, "getRegistry": ecp.RightAdmin, "createRegistry": ecp.RightAdmin,
	"updateRegistry": ecp.RightAdmin, "deleteRegistry": ecp.RightAdmin,
	"listLicenses": ecp.RightAdmin, "getLicense": ecp.RightAdmin, "createLicense": ecp.RightAdmin,
	"updateLicense": ecp.RightAdmin, "deleteLicense": ecp.RightAdmin,
	"listCertificates": ecp.RightAdmin, "getCertificate": ecp.RightAdmin, "createCertificate": ecp.RightAdmin,
	"updateCertificate": ecp.RightAdmin, "deleteCertificate": ecp.RightAdmin,
	"listLBProfiles": ecp.RightCatalog, "getLBProfile": ecp.RightCatalog, "createLBProfile": ecp.RightAdmin,
	"updateLBProfile": ecp.RightAdmin, "deleteLBProfile": ecp.RightAdmin,
	"listTargets": ecp.RightCatalog, "getTarget": ecp.RightCatalog, "createTarget": ecp.RightAdmin,
	"updateTarget": ecp.RightAdmin, "deleteTarget": ecp.RightAdmin, "acceptPlatform": ecp.RightAdmin,
	"getPool": ecp.RightCatalog, "updatePool": ecp.RightAdmin,

	"listOrgs": anyToken, "getOrg": anyToken, "createOrg": ecp.RightAdmin, "updateOrg": ecp.RightProjects,
	"deleteOrg":   ecp.RightAdmin,
	"getOrgQuota": ecp.RightProjects, "updateOrgQuota": ecp.RightAdmin, "getProjectQuota": ecp.RightRead,
	"updateProjectQuota": ecp.RightProjects,
	"listProjects":       ecp.RightRead, "getProject": ecp.RightRead, "createProject": ecp.RightProjects,
	"updateProject": ecp.RightProjects, "deleteProject": ecp.RightProjects,
	"listUsers": ecp.RightMembers, "getUser": ecp.RightMembers, "createUser": ecp.RightMembers,
	"updateUser": ecp.RightMembers, "deleteUser": ecp.RightMembers, "unlockUser": ecp.RightMembers,
	"listTokens": ecp.RightMembers, "getToken": ecp.RightMembers, "createToken": ecp.RightMembers,
	"deleteToken": ecp.RightMembers,

	"logout": anyToken, "getMe": anyToken, "changePassword": anyToken, "listRoles": anyToken,
	"listAudit": ecp.RightAudit, "exportAudit": ecp.RightAudit,
}

// describeRights writes into the document which right each route asks for.
func (a *api) describeRights() {
	for _, rt := range a.routes {
		if right := needs[rt.id]; right != anyToken {
			rt.Extensions = map[string]any{"x-right": string(right)}
		}
	}
}
